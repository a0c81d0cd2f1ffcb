"""Gives a new installation its demo user and API client, through auth-server's own commands.

The store keeps only hashes, so `demo.json` is the one place that knows the secrets. When it is lost, or does not fit
the store any more, both secrets are replaced.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.children import REPOSITORY, environment
from deploy.local.installation import CannotStart, Installation
from shared_kernel.entropy import SystemEntropy

EMAIL = "demo@example.com"
CLIENT_NAME = "demo API client"
SCOPE = "query schemas:read"


def seed(installation: Installation) -> dict[str, Any]:
    """Creates missing or invalid credentials, and returns the content of demo.json. Needs a running auth-server.

    Raises CannotStart.
    """
    known = _read(installation)
    if known is None or not _works(installation, known):
        user = _create_user(installation)
        known = {"user": user, "api_client": _create_client(installation)}
    demo = {
        "issuer": installation.issuer,
        "resource": installation.resource,
        "dynamodb_endpoint": installation.dynamodb_endpoint,
        "user": known["user"],
        "api_client": known["api_client"],
    }
    _write(installation.demo_file, json.dumps(demo, indent=2) + "\n")
    return demo


def _read(installation: Installation) -> dict[str, Any] | None:
    try:
        known = json.loads(installation.demo_file.read_text("utf-8"))
        _ = known["user"]["email"], known["user"]["password"]
        _ = known["api_client"]["client_id"], known["api_client"]["client_secret"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(known)


def _works(installation: Installation, known: dict[str, Any]) -> bool:
    client = known["api_client"]
    reply = httpx2.post(
        f"{installation.issuer}/token",
        auth=(client["client_id"], client["client_secret"]),
        data={"grant_type": "client_credentials"},
        timeout=30,
        trust_env=False,
    )
    return reply.status_code == httpx2.codes.OK


def _create_user(installation: Installation) -> dict[str, str]:
    password = SystemEntropy().bytes(12).hex()  # no sign that a shell or a command line could take for an option
    email = EMAIL
    create = ("user", "create", "--password-file", "-", "--email")
    if _run(installation, *create, email, given=password).returncode:
        # The account of an earlier demo.json stays: nobody knows its password any more.
        email = EMAIL.replace("@", f"-{SystemEntropy().bytes(4).hex()}@")
        _output(_run(installation, *create, email, given=password))
    return {"email": email, "password": password}


def _create_client(installation: Installation) -> dict[str, str]:
    listed = json.loads(_output(_run(installation, "client", "list", "--json")))
    for client in listed["clients"]:
        if client["name"] == CLIENT_NAME:
            _output(_run(installation, "client", "delete", client["client_id"]))
    create = ("client", "create", "--confidential", "--name", CLIENT_NAME, "--scope", SCOPE, "--json")
    created = json.loads(_output(_run(installation, *create)))
    return {"client_id": created["client_id"], "client_secret": created["client_secret"]}


def _run(installation: Installation, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Runs an auth-server command; secrets go in by standard input, where no other account can read them."""
    command: list[str | Path] = [Path(sys.executable).with_name("auth-server"), *arguments]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment(installation.auth_settings()),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _output(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        raise CannotStart(f"The demo credentials could not be made: {done.stderr.strip()[-500:]}")
    return done.stdout


def _write(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
