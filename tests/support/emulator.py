"""The embedded DynamoDB of the tests: MiniStack, as a process of its own on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import REPOSITORY, Server, answers, clean_environment, free_port, running

MINISTACK = REPOSITORY / ".venv-emulator" / "bin" / "ministack"
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
def emulating(directory: Path, port: int | None = None, *, persistent: bool = False) -> Iterator[Emulator]:
    """An emulator logging to `directory`; when `persistent`, its tables are saved there on an orderly stop."""
    assert MINISTACK.exists(), f"{MINISTACK} is missing; run: make install"
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = clean_environment(BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), SERVICES="dynamodb")
    if persistent:
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(directory / "emulator-state")}
    log = directory / "emulator.log"
    with running("emulator", [str(MINISTACK)], environment, log, answers(f"{endpoint}/_ministack/health")) as server:
        yield Emulator(endpoint, server)
