"""`make run`: an embedded DynamoDB with demo data, auth-server and mcp-server, until Ctrl-C.

    python -m deploy.local.run [DIRECTORY]

DIRECTORY keeps the data; it is `.data` unless given. AUTH_PORT, MCP_PORT and DYNAMODB_PORT choose the ports; every
other AUTH_* and MCP_* setting that `make run` does not choose itself reaches the services.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import botocore.exceptions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.local import announcement, demo_data, installation
from deploy.local.children import REPOSITORY, Child, ChildEnded, answers, environment
from deploy.local.installation import CannotStart, Installation
from deploy.local.seed import seed

_EMULATOR = REPOSITORY / ".venv-emulator" / "bin" / "python"
_READY_SECONDS = 60.0
_SERVICE_GRACE = 15.0
_EMULATOR_GRACE = 120.0  # saving its tables is slow on a busy machine
_WATCH_SECONDS = 0.25


class Stop(BaseException):
    """Ctrl-C, SIGTERM, a closed terminal, or the end of `make` itself."""


def main(arguments: list[str]) -> int:
    """Runs the pair and gives the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    started_by = os.getppid()
    try:
        local = installation.from_environment(os.environ, *map(Path, arguments))
        installation.prepare(local)
        with installation.locked(local) as lock, _Pair(local, lock) as pair:
            pair.start()
            pair.watch(started_by)
    except Stop:
        return 0
    except (CannotStart, ChildEnded) as problem:
        return _fail(str(problem))
    except OSError as problem:
        return _fail(f"The operating system refused: {problem}")
    return 0


class _Pair:
    """The three child processes of one installation; leaving the block stops them."""

    def __init__(self, local: Installation, lock: int) -> None:
        self._local, self._lock = local, lock
        self._emulator: Child | None = None
        self._services: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Do not interrupt shutdown: the emulator saves its tables at the very end.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._emulator is not None:
            _say("\nStopping ...")
        for service in self._services:
            service.end()
        for service in self._services:
            service.wait()
        if self._emulator is not None:
            self._emulator.end()
            self._emulator.wait()

    def start(self) -> None:
        """Starts everything, loads missing demo data, and prints the announcement."""
        local = self._local
        installation.require_free_ports(local)
        _require_programs()
        _say("Starting the embedded DynamoDB, auth-server and mcp-server ...")
        emulator = self._start_emulator()
        auth = self._start_service("auth-server", local.auth_settings())
        auth.wait_until(answers(f"{local.issuer}/readyz"), _READY_SECONDS)
        # After auth-server, whose keys it fetches.
        mcp = self._start_service("mcp-server", local.mcp_settings())
        emulator.wait_until(answers(f"{local.dynamodb_endpoint}/_ministack/health"), _READY_SECONDS)
        if _load(local, emulator):
            # A restart puts the tables on disk: from now on, no crash loses them.
            _say("Saving the tables ...")
            emulator.end()
            emulator.wait()
            emulator = self._start_emulator()
            emulator.wait_until(answers(f"{local.dynamodb_endpoint}/_ministack/health"), _READY_SECONDS)
        mcp.wait_until(answers(f"{local.mcp_origin}/readyz"), _READY_SECONDS)
        demo = seed(local)
        _say(announcement.text(demo, local.display_name))

    def watch(self, started_by: int) -> None:
        """Never returns: raises ChildEnded when a child ends, and Stop when the process that started this one ends."""
        children = [child for child in (self._emulator, *self._services) if child is not None]
        while os.getppid() == started_by:
            for child in children:
                child.require_running()
            time.sleep(_WATCH_SECONDS)  # several children and a parent to watch, and no one event for all
        raise Stop

    def _start_emulator(self) -> Child:
        command: list[str | Path] = [_EMULATOR, "-P", REPOSITORY / "deploy" / "local" / "emulator.py"]
        self._emulator = self._child("emulator", command, self._local.emulator_settings(), _EMULATOR_GRACE)
        return self._emulator

    def _start_service(self, name: str, settings: dict[str, str]) -> Child:
        service = self._child(name, [_script(name), "serve"], settings, _SERVICE_GRACE)
        self._services.append(service)
        return service

    def _child(self, name: str, command: list[str | Path], settings: dict[str, str], grace: float) -> Child:
        log = self._local.file("logs") / f"{name}.log"
        return Child(name, command, environment(settings), log, grace=grace, lock=self._lock)


def _load(local: Installation, emulator: Child) -> bool:
    try:
        with _progress() as progress:
            return bool(demo_data.load_demo_data(local.dynamodb_endpoint, local.file("tpch"), progress))
    except subprocess.CalledProcessError as error:
        raise CannotStart(f"The demo data could not be generated: {error}") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        # The exit of a killed emulator shows a moment later.
        with contextlib.suppress(ChildEnded):
            emulator.wait_until(lambda: False, 2)
        emulator.require_running()
        raise CannotStart(f"The demo data could not be loaded: {error}") from error


@contextlib.contextmanager
def _progress() -> Iterator[demo_data.Progress]:
    """Shows the load: one bar per table on a terminal, one line per table elsewhere."""
    console = Console(highlight=False)
    columns = (TextColumn("  {task.description:<10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=None, visible=False) for name in demo_data.TABLE_NAMES}

        def show(table: str, written: int, total: int) -> None:
            bars.update(tasks[table], completed=written, total=total, visible=True)
            if written == total and not console.is_terminal:
                _say(f"  {table:<10} {written:>6} items")

        yield show


def _require_programs() -> None:
    for program in (_EMULATOR, _script("auth-server"), _script("mcp-server")):
        if shutil.which(program) is None:
            raise CannotStart(f"{program} is missing; run: make --always-make install")


def _script(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _fail(text: str) -> int:
    print(f"\n{text}", file=sys.stderr, flush=True)
    return 1


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _stop(_number: int, _frame: object) -> None:
    raise Stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
