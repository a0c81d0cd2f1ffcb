"""Each service installs from its own lock into an empty environment, by pip and by uv, and starts there alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, answers, clean_environment, running
from tests.support.services import Addresses, auth_environment, mcp_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OTHER = {"auth-server": "mcp_server", "mcp-server": "auth_server"}
NOT_NEEDED = {"auth-server": {"duckdb", "sqlglot", "mcp"}, "mcp-server": {"authlib", "jinja2", "argon2"}}

WHERE = """
import importlib.util, json, sys
specs = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({name: spec and spec.origin for name, spec in specs.items()}))
"""


def install(service: str, installer: str, environment: Path) -> None:
    """The recipe of docs/deployment.md."""
    python = environment / "bin" / "python"
    if installer == "pip":
        run(sys.executable, "-m", "venv", environment)
        command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    else:
        uv = shutil.which("uv") or REPOSITORY / ".tools/uv/bin/uv"
        run(uv, "venv", "--quiet", "--python", sys.executable, environment)
        command = [uv, "pip", "install", "--quiet", "--python", python]
    run(*command, "--require-hashes", "-r", f"{service}/requirements.lock")
    run(*command, "--no-deps", "--no-build-isolation", "./shared", f"./{service}")


def run(*command: str | Path) -> str:
    """What a command prints. Fails the test when it fails."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("service", ["auth-server", "mcp-server"])
def test_a_service_installs_and_starts_alone(service: str, installer: str, tmp_path: Path) -> None:
    """Nothing of the other service, of the development tools or of this checkout is needed."""
    environment = tmp_path / "environment"
    install(service, installer, environment)
    found = run(
        environment / "bin" / "python",
        "-I",
        "-c",
        WHERE,
        service.replace("-", "_"),
        "shared_kernel",
        OTHER[service],
        *NOT_NEEDED[service],
    )
    origins = json.loads(found)
    assert all(origins.pop(name).startswith(str(environment)) for name in (service.replace("-", "_"), "shared_kernel"))
    assert set(origins.values()) == {None}

    addresses, data = Addresses(), tmp_path / "data"
    data.mkdir()
    settings, port = (
        (auth_environment(addresses, data), addresses.auth_port)
        if service == "auth-server"
        # No DynamoDB answers there, nor does the issuer: readiness is about the service itself.
        else (mcp_environment(addresses, data, "http://127.0.0.1:1"), addresses.mcp_port)
    )
    command = [str(environment / "bin" / service), "serve"]
    ready = answers(f"http://127.0.0.1:{port}/readyz")
    with running(service, command, clean_environment() | settings, tmp_path / "log", ready) as server:
        assert server.stop() == 0
