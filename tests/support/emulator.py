"""The embedded DynamoDB of the tests: MiniStack, as a process of its own on a free port."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import REPOSITORY, Server, answers, clean_environment, free_port, running

_SCRIPTS = REPOSITORY / ".venv-emulator" / "bin"
MINISTACK = (str(_SCRIPTS / "ministack"),)
"""MiniStack as its authors start it."""
QUICK = (str(_SCRIPTS / "python"), "-P", str(REPOSITORY / "deploy" / "local" / "emulator.py"))
"""MiniStack as `make run` starts it."""
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What botocore's own chain finds: the emulator takes any key, and no test may ask a metadata service."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator. `region` is the one its tables live in."""

    endpoint_url: str
    server: Server
    region: str = REGION


@contextmanager
def emulating(
    directory: Path, port: int | None = None, *, persistent: bool = False, command: Sequence[str] = QUICK
) -> Iterator[Emulator]:
    """An emulator logging to `directory`; when `persistent`, its tables are saved there on an orderly stop."""
    assert Path(command[0]).exists(), f"{command[0]} is missing; run: make install"
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = clean_environment(BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), SERVICES="dynamodb")
    if persistent:
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(state_directory(directory))}
    log = directory / "emulator.log"
    with running("emulator", command, environment, log, answers(f"{endpoint}/_ministack/health")) as server:
        yield Emulator(endpoint, server)


def state_directory(directory: Path) -> Path:
    """Where a persistent emulator in `directory` saves its tables."""
    return directory / "emulator-state"
