"""The two DynamoDBs of the tests that keep their tables over a restart: MiniStack and Dynoxide."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.support.emulator import REGION, Emulator
from tests.support.processes import REPOSITORY, answers, clean_environment, free_port, running

DYNOXIDE_FILE = "dynoxide.db"
"""Where a persistent Dynoxide keeps its tables, in its directory."""
_DYNOXIDE = REPOSITORY / "tests" / "emulators" / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


@contextmanager
def dynoxide_serving(directory: Path, *, persistent: bool = False) -> Iterator[Emulator]:
    """A Dynoxide that logs to `directory`; when `persistent`, every acknowledged write is in a file there."""
    assert _DYNOXIDE.exists(), (
        f"{_DYNOXIDE} is missing; run: make tests/emulators/node_modules/.installed"
        f" (npm has it for Linux on x86-64; this is {platform.system()} on {platform.machine()})"
    )
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(_DYNOXIDE), "--port", str(port)]
    command += ["--db-path", str(directory / DYNOXIDE_FILE)] if persistent else []
    with running("dynoxide", command, clean_environment(), directory / "dynoxide.log", answers(endpoint)) as server:
        yield Emulator(endpoint, server)


def store_url(emulator_url: str, table: str) -> str:
    """The AUTH_STORE_URL of a table."""
    return f"dynamodb://{table}?region={REGION}&endpoint_url={quote(emulator_url, safe='')}"
