"""Theft and reuse on a running server: one line that alarms, one event, and an explanation that says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared_kernel.clock import SystemClock
from tests.support.client_keys import ClientKey, presented
from tests.support.dpop import DpopKey
from tests.support.grants import REDIRECT_URI, new_code, new_grant, public_client
from tests.support.processes import wait_for
from tests.support.services import AuthServer, run_cli

pytestmark = pytest.mark.slow

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
Theft = Callable[[AuthServer, Path], httpx2.Response]
"""Commits it; gives the refusal."""


def code_twice(auth: AuthServer, _directory: Path) -> httpx2.Response:
    code = new_code(auth)
    assert code.redeem().status_code == 200
    return code.redeem()


def code_of_another_client(auth: AuthServer, _directory: Path) -> httpx2.Response:
    code, thief = new_code(auth), public_client(auth, "Thief")
    form = {"grant_type": "authorization_code", "code": code.code, "redirect_uri": REDIRECT_URI}
    return httpx2.post(f"{auth.issuer}/token", data=form | {"code_verifier": code.verifier, "client_id": thief.id})


def refresh_twice(auth: AuthServer, _directory: Path) -> httpx2.Response:
    grant = new_grant(auth)
    newer = grant.refresh().json()["refresh_token"]
    assert grant.refresh(refresh_token=newer).status_code == 200
    return grant.refresh()


def stolen_refresh_token(auth: AuthServer, _directory: Path) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": new_grant(auth).refresh_token}
    return httpx2.post(f"{auth.issuer}/token", data=form | {"client_id": public_client(auth, "Thief").id})


def proof_twice(auth: AuthServer, _directory: Path) -> httpx2.Response:
    endpoint, client = f"{auth.issuer}/token", auth.automation
    headers = {"DPoP": DpopKey().proof("POST", endpoint)}

    def asked() -> httpx2.Response:
        form = {"grant_type": "client_credentials"}
        return httpx2.post(endpoint, data=form, auth=(client.id, client.secret), headers=headers)

    assert asked().status_code == 200
    return asked()


def assertion_twice(auth: AuthServer, directory: Path) -> httpx2.Response:
    key, keys = ClientKey(), directory / "keys.json"
    keys.write_bytes(key.jwks())
    made = run_cli(auth.server.environment, "client", "create", "--name", "Agent", "--jwks", str(keys), "--json")
    assertion = key.assertion(json.loads(made)["client_id"], auth.issuer, SystemClock().now())

    def asked() -> httpx2.Response:
        form = {"grant_type": "client_credentials"}
        return httpx2.post(f"{auth.issuer}/token", data=form | presented(assertion))

    assert asked().status_code == 200
    return asked()


def device_code_of_another_client(auth: AuthServer, _directory: Path) -> httpx2.Response:
    document = {"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", DEVICE]}
    ids = [
        httpx2.post(f"{auth.issuer}/register", json=document | {"client_name": name}).json()["client_id"]
        for name in ("Television", "Thief")
    ]
    codes = httpx2.post(f"{auth.issuer}/device_authorization", data={"client_id": ids[0]}).json()
    form = {"grant_type": DEVICE, "device_code": codes["device_code"], "client_id": ids[1]}
    return httpx2.post(f"{auth.issuer}/token", data=form)


THEFTS: dict[str, Theft] = {
    "code_reused": code_twice,
    "code_of_another_client": code_of_another_client,
    "refresh_token_reused": refresh_twice,
    "refresh_token_stolen": stolen_refresh_token,
    "dpop_proof_reused": proof_twice,
    "client_assertion_reused": assertion_twice,
    "device_code_of_another_client": device_code_of_another_client,
}


def alarms(auth: AuthServer, request_id: str) -> list[dict[str, Any]]:
    """The lines of a request that alarm."""
    lines = [json.loads(line) for line in auth.log.read_text("utf-8").splitlines()]
    return [line for line in lines if line.get("alarm") and line.get("request_id") == request_id]


@pytest.mark.parametrize("reason", THEFTS)
def test_theft_and_reuse_alarm_once_and_are_explained(auth_server: AuthServer, tmp_path: Path, reason: str) -> None:
    refused = THEFTS[reason](auth_server, tmp_path)
    assert refused.status_code in {400, 401}, refused.text
    assert reason not in refused.text
    request_id = str(refused.json()["request_id"])
    wait_for(lambda: bool(alarms(auth_server, request_id)), 30, "the alarm in the log")

    def events() -> list[dict[str, Any]]:
        listed = json.loads(run_cli(auth_server.server.environment, "audit", "list", "--json"))["events"]
        return [event for event in listed if event["alarm"] and event["request_id"] == request_id]

    wait_for(lambda: bool(events()), 30, "the event in the trail")
    (line,), (event,) = alarms(auth_server, request_id), events()
    assert (line["level"], line["reason"], event["reason"]) == ("error", reason, reason)
    told = run_cli(auth_server.server.environment, "flow", "explain", request_id)
    assert f"Reason: {reason}" in told
    assert "ALARM: " in told
    assert "see the runbook, Alarms" in told
