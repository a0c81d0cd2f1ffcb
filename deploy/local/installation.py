"""Where the local pair lives: ports, addresses, and the files under `.data/`."""

import errno
import fcntl
import os
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.children import REPOSITORY
from deploy.local.demo_data import schemas_file
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import KEY_BYTES, write_key_file

_TAKEOVER_SECONDS = 150.0
_DEFAULT_PORTS = {"AUTH_PORT": 9000, "MCP_PORT": 8000, "DYNAMODB_PORT": 8042}


class CannotStart(Exception):
    """Something on this machine stands in the way. The text says what, and the remedy."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One local pair: its data directory and its three ports, all on loopback."""

    directory: Path
    auth_port: int
    mcp_port: int
    dynamodb_port: int

    @property
    def issuer(self) -> str:
        """The authorization server's issuer, which is also its address."""
        return f"http://localhost:{self.auth_port}"

    @property
    def resource(self) -> str:
        """The MCP server's resource identifier, which is also its address."""
        return f"{self.mcp_origin}/mcp"

    @property
    def mcp_origin(self) -> str:
        """The MCP server's address without a path."""
        return f"http://localhost:{self.mcp_port}"

    @property
    def dynamodb_endpoint(self) -> str:
        """The embedded DynamoDB."""
        return f"http://127.0.0.1:{self.dynamodb_port}"

    @property
    def display_name(self) -> str:
        """The directory as a person would type it in the repository."""
        inside = self.directory.is_relative_to(REPOSITORY)
        return str(self.directory.relative_to(REPOSITORY) if inside else self.directory)

    @property
    def demo_file(self) -> Path:
        """What a script needs to use the pair: addresses and the demo credentials."""
        return self.directory / "demo.json"

    def file(self, name: str) -> Path:
        """A file or directory of the installation."""
        return self.directory / name

    def auth_settings(self) -> dict[str, str]:
        """The settings of auth-server and of its commands that the installation decides."""
        return {
            "AUTH_ISSUER": self.issuer,
            "AUTH_RESOURCES": self.resource,
            "AUTH_STORE_URL": f"sqlite://{self.file('auth.sqlite3')}",
            "AUTH_MASTER_KEY_FILE": str(self.file("auth-master.key")),
            "AUTH_HOST": "127.0.0.1",
            "AUTH_PORT": str(self.auth_port),
            "AUTH_SHUTDOWN_DELAY_SECONDS": "0",  # no load balancer is in front
        }

    def mcp_settings(self) -> dict[str, str]:
        """The settings of mcp-server that the installation decides; the emulator accepts any credentials."""
        return {
            "MCP_RESOURCE": self.resource,
            "MCP_ISSUER": self.issuer,
            "MCP_SCHEMAS_FILE": str(self.file("schemas.toml")),
            "MCP_CURSOR_KEY_FILE": str(self.file("mcp-cursor.key")),
            "MCP_HOST": "127.0.0.1",
            "MCP_PORT": str(self.mcp_port),
            "MCP_SHUTDOWN_DELAY_SECONDS": "0",
            "MCP_SHUTDOWN_SECONDS": "1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def emulator_settings(self) -> dict[str, str]:
        """The environment of MiniStack: DynamoDB only, on loopback only, its files under the installation."""
        return {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.dynamodb_port),
            "SERVICES": "dynamodb",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.file("emulator")),
            "TMPDIR": str(self.file("emulator")),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }


def from_environment(variables: Mapping[str, str], directory: Path = REPOSITORY / ".data") -> Installation:
    """The installation in that directory, on the ports of AUTH_PORT, MCP_PORT and DYNAMODB_PORT. Raises CannotStart."""
    ports = {name: _port(name, variables.get(name) or str(default)) for name, default in _DEFAULT_PORTS.items()}
    if len(set(ports.values())) != len(ports):
        raise CannotStart(f"{', '.join(ports)} must be three different ports, but are {list(ports.values())}.")
    return Installation(directory.absolute(), ports["AUTH_PORT"], ports["MCP_PORT"], ports["DYNAMODB_PORT"])


def prepare(installation: Installation) -> None:
    """Creates missing directories and key files, and rewrites the schemas file and the shell file."""
    # Other accounts on this machine must not read keys and secrets, whatever the umask.
    os.umask(0o077)
    installation.directory.mkdir(mode=0o700, exist_ok=True)
    installation.directory.chmod(0o700)
    for name in ("emulator", "logs"):
        installation.file(name).mkdir(exist_ok=True)
    for name in ("auth-master.key", "mcp-cursor.key"):
        if not installation.file(name).exists():
            write_key_file(installation.file(name), SystemEntropy().bytes(KEY_BYTES))
    installation.file("schemas.toml").write_text(schemas_file(installation.dynamodb_endpoint), "utf-8")
    installation.file("env").write_text(_shell_file(installation), "utf-8")


@contextmanager
def locked(installation: Installation) -> Iterator[int]:
    """Holds the installation for this process and its supervisors; gives the lock's descriptor. Raises CannotStart.

    After an earlier run was killed, its supervisors hold the lock while they end their commands. This waits for them,
    since the emulator must save its tables before another one reads them.
    """
    descriptor = os.open(installation.file("lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def require_free_ports(installation: Installation) -> None:
    """Raises CannotStart if another program listens on one of the ports."""
    for variable, port in (
        ("AUTH_PORT", installation.auth_port),
        ("MCP_PORT", installation.mcp_port),
        ("DYNAMODB_PORT", installation.dynamodb_port),
    ):
        # `localhost` may mean either address, so a stranger on the other one would answer in our place.
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if _is_taken(family, host, port):
                raise CannotStart(
                    f"Port {port} is in use by another program. Stop that program, or choose another port: "
                    f"make run {variable}={port + 1000 if port < 60000 else port - 1000}"
                )


def _shell_file(installation: Installation) -> str:
    """What a shell reads to run the commands of both services on this installation: settings and PATH."""
    settings = installation.auth_settings() | installation.mcp_settings()
    scripts = REPOSITORY / ".venv" / "bin"
    return "".join(
        [
            "# Written by `make run` at every start.\n",
            *(
                f"export {name}={shlex.quote(value)}\n"
                for name, value in settings.items()
                if not name.startswith("AWS_")
            ),
            f'export PATH={shlex.quote(str(scripts))}:"$PATH"\n',
        ]
    )


def _take(descriptor: int) -> None:
    deadline = time.monotonic() + _TAKEOVER_SECONDS
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace")
            if owner.isdigit() and _is_running(int(owner)):
                raise CannotStart(f"`make run` is already running here (process {owner}).") from None
            if time.monotonic() > deadline:
                raise CannotStart("Processes of an earlier run are still ending; try again shortly.") from None
            if not told:
                print("Waiting for the processes of an earlier run to end ...", flush=True)
                told = True
            time.sleep(0.2)  # a blocking flock could not give up at the deadline
        else:
            return


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _port(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise CannotStart(f"{name} must be a port number from 1 to 65535, not {text!r}.")
    return int(text)


def _is_taken(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError:
        raise CannotStart(
            f"Port {port} needs privileges that this account does not have; choose one above 1023."
        ) from None
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
