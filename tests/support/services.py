"""auth-server and mcp-server as real processes, started and seeded only through their console scripts."""

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.demo_data import schemas_file
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import KEY_BYTES, write_key_file
from tests.support.emulator import CREDENTIALS, REGION
from tests.support.processes import SCRIPTS, Server, answers, clean_environment, free_port, running

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple 42"
CLI_SECONDS = 60
AUTH_SERVER = (str(SCRIPTS / "auth-server"), "serve")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a pair of services is reached; each knows the other's name, so both are chosen before either starts.

    With a `gateway_port` both go by the name of the gateway on that port, under its `scheme`.
    """

    auth_port: int = field(default_factory=free_port)
    mcp_port: int = field(default_factory=free_port)
    gateway_port: int = 0
    scheme: str = "http"

    @property
    def issuer(self) -> str:
        """The authorization server's identifier."""
        return f"{self.scheme}://localhost:{self.gateway_port or self.auth_port}"

    @property
    def resource(self) -> str:
        """The URL of the MCP endpoint."""
        return f"{self.scheme}://localhost:{self.gateway_port or self.mcp_port}/mcp"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client; `secret` is empty for a public one."""

    id: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class AuthServer:
    """A running auth-server with one user (EMAIL, PASSWORD) and one confidential client that may do everything."""

    issuer: str
    resource: str
    server: Server
    automation: Client
    directory: Path

    @property
    def log(self) -> Path:
        """Everything the process has written."""
        return self.server.log

    def restart(self) -> None:
        """Starts the process anew on the same store, after it was stopped or killed."""
        self.server.start_again(answers(f"{self.issuer}/readyz"))

    def token(self, scope: str | None = None, client: Client | None = None) -> str:
        """An access token by client credentials; without `scope`, with all that the client may have."""
        client = client or self.automation
        form = {"grant_type": "client_credentials", "resource": self.resource}
        if scope is not None:
            form["scope"] = scope
        answer = httpx2.post(f"{self.issuer}/token", data=form, auth=(client.id, client.secret))
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def create_client(self, *arguments: str) -> Client:
        """Registers a client through the CLI."""
        created = json.loads(run_cli(self.server.environment, "client", "create", *arguments, "--json"))
        return Client(created["client_id"], created.get("client_secret") or "")

    def initial_access_token(self) -> str:
        """A token for one registration, made through the CLI."""
        made = json.loads(run_cli(self.server.environment, "initial-token", "create", "--json"))
        return str(made["initial_access_token"])


@dataclass(frozen=True, slots=True)
class McpServer:
    """A running mcp-server."""

    resource: str
    server: Server

    @property
    def log(self) -> Path:
        """Everything the process has written."""
        return self.server.log

    @property
    def origin(self) -> str:
        """The server's address without a path."""
        return self.resource.removesuffix("/mcp")

    def restart(self) -> None:
        """Starts the process anew after it was stopped or killed."""
        self.server.start_again(answers(f"{self.origin}/readyz"))


def run_cli(environment: Mapping[str, str], *arguments: str) -> str:
    """What `auth-server` with these arguments prints. Fails the test when it fails."""
    command = [str(SCRIPTS / "auth-server"), *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=CLI_SECONDS, check=False)
    assert run.returncode == 0, f"{' '.join(command)}: {run.stderr or run.stdout}"
    return run.stdout


def key_file(path: Path) -> Path:
    """A file with a fresh key, made once."""
    if not path.exists():
        write_key_file(path, SystemEntropy().bytes(KEY_BYTES))
    return path


def auth_environment(addresses: Addresses, directory: Path, **more: str) -> dict[str, str]:
    """The settings of an auth-server that keeps its state in `directory`."""
    return clean_environment(
        AUTH_ISSUER=addresses.issuer,
        AUTH_RESOURCES=addresses.resource,
        AUTH_STORE_URL=f"sqlite:///{directory / 'auth.db'}",
        AUTH_MASTER_KEY_FILE=str(key_file(directory / "master.key")),
        AUTH_PORT=str(addresses.auth_port),
        AUTH_SHUTDOWN_DELAY_SECONDS="0",  # no load balancer is in front
    ) | dict(more)


@contextmanager
def auth_serving(
    addresses: Addresses, directory: Path, *, command: Sequence[str] = AUTH_SERVER, **more: str
) -> Iterator[AuthServer]:
    """An auth-server in a directory of its own, seeded on its first start; another `command` may start it."""
    environment = auth_environment(addresses, directory, **more)
    password_file = directory / "password"
    if not password_file.exists():
        password_file.write_text(PASSWORD)
        password_file.chmod(0o600)
        run_cli(environment, "user", "create", "--email", EMAIL, "--password-file", str(password_file))
    arguments = ("--confidential", "--name", "Automation", "--scope", "schemas:read query", "--json")
    made = json.loads(run_cli(environment, "client", "create", *arguments))
    automation = Client(made["client_id"], made["client_secret"])
    ready = answers(f"http://localhost:{addresses.auth_port}/readyz")
    with running("auth-server", command, environment, directory / "auth-server.log", ready) as server:
        yield AuthServer(addresses.issuer, addresses.resource, server, automation, directory)


SCHEMAS = """\
[[schema]]
name = "demo"
tenant = "default"
region = "{region}"
endpoint_url = "{endpoint}"
default = true

[[schema]]
name = "elsewhere"
tenant = "another"
region = "{region}"
endpoint_url = "{endpoint}"
"""


def mcp_environment(addresses: Addresses, directory: Path, endpoint_url: str, **more: str) -> dict[str, str]:
    """The settings of an mcp-server over the DynamoDB at `endpoint_url`, keeping its files in `directory`."""
    schemas = directory / "schemas.toml"
    schemas.write_text(SCHEMAS.format(region=REGION, endpoint=endpoint_url))
    settings = clean_environment(
        MCP_RESOURCE=addresses.resource,
        MCP_ISSUER=addresses.issuer,
        MCP_SCHEMAS_FILE=str(schemas),
        MCP_CURSOR_KEY_FILE=str(key_file(directory / "cursor.key")),
        MCP_PORT=str(addresses.mcp_port),
        MCP_DEADLINE_SECONDS="120",  # a busy machine is slow, not wrong
        MCP_SHUTDOWN_DELAY_SECONDS="0",
    )
    return settings | CREDENTIALS | dict(more)


@contextmanager
def mcp_serving(addresses: Addresses, directory: Path, endpoint_url: str, **more: str) -> Iterator[McpServer]:
    """An mcp-server over the DynamoDB at `endpoint_url`."""
    environment = mcp_environment(addresses, directory, endpoint_url, **more)
    with _mcp_running(environment, directory) as server:
        yield McpServer(addresses.resource, server)


@contextmanager
def mcp_replica(addresses: Addresses, directory: Path, endpoint_url: str, **more: str) -> Iterator[McpServer]:
    """Another mcp-server for the same resource, reached directly on a port of its own."""
    port = free_port()
    environment = mcp_environment(addresses, directory, endpoint_url, MCP_PORT=str(port), **more)
    with _mcp_running(environment, directory) as server:
        yield McpServer(f"http://localhost:{port}/mcp", server)


@contextmanager
def demo_replica(addresses: Addresses, directory: Path, endpoint_url: str, **more: str) -> Iterator[McpServer]:
    """The same with the schemas of `make run`."""
    schemas = directory / "demo.toml"
    schemas.write_text(schemas_file(endpoint_url))
    with mcp_replica(addresses, directory, endpoint_url, MCP_SCHEMAS_FILE=str(schemas), **more) as server:
        yield server


@contextmanager
def _mcp_running(environment: Mapping[str, str], directory: Path) -> Iterator[Server]:
    command = [str(SCRIPTS / "mcp-server"), "serve"]
    ready = answers(f"http://localhost:{environment['MCP_PORT']}/readyz")
    with running("mcp-server", command, environment, directory / "mcp-server.log", ready) as server:
        yield server


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: the tests look at what the services made."""
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded
