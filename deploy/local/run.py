"""`make run`: an embedded DynamoDB with demo data, auth-server and mcp-server, until Ctrl-C.

    python -m deploy.local.run [DIRECTORY]

DIRECTORY keeps the data; it is `.data` unless given. AUTH_PORT, MCP_PORT and DYNAMODB_PORT choose the ports.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import botocore.exceptions

from deploy.local import announcement, installation
from deploy.local.children import REPOSITORY, Child, ChildEnded, answers, environment
from deploy.local.demo_data import load_demo_data
from deploy.local.installation import CannotStart, Installation
from deploy.local.progress import Progress
from deploy.local.seed import seed

_EMULATOR = REPOSITORY / ".venv-emulator" / "bin" / "ministack"
_READY_SECONDS = 60.0
_SERVICE_GRACE = 15.0
_EMULATOR_GRACE = 120.0  # it writes all its tables at the end, on a busy machine too
_WATCH_SECONDS = 0.25


class Stop(BaseException):
    """Someone asked for the end: Ctrl-C, SIGTERM, a closed terminal, or `make` itself is gone."""


def main(arguments: list[str]) -> int:
    """Runs the pair and gives the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    started_by = os.getppid()
    children: list[Child] = []
    try:
        local = installation.from_environment(os.environ, *map(Path, arguments))
        installation.prepare(local)
        with installation.locked(local) as lock:
            try:
                _start(local, lock, children)
                _watch(children, started_by)
            finally:
                # The stopping itself is not to be interrupted: the emulator saves its tables at the very end.
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                _stop_all(children)
    except Stop:
        return 0
    except (CannotStart, ChildEnded) as problem:
        return _fail(str(problem))
    except OSError as problem:
        return _fail(f"The operating system refused: {problem}")
    return 0


def _start(local: Installation, lock: int, children: list[Child]) -> None:
    installation.require_free_ports(local)
    _require_programs()

    def start(name: str, command: Path, settings: dict[str, str], grace: float, *arguments: str) -> Child:
        log = local.file("logs") / f"{name}.log"
        child = Child(name, [command, *arguments], environment(settings), log, grace=grace, lock=lock)
        children.append(child)
        return child

    def start_emulator() -> Child:
        emulator = start("emulator", _EMULATOR, local.emulator_settings(), _EMULATOR_GRACE)
        emulator.wait_until(lambda: answers(f"{local.dynamodb_endpoint}/_ministack/health"), _READY_SECONDS)
        return emulator

    _say("Starting the embedded DynamoDB ...")
    emulator = start_emulator()
    if _load(local, emulator):
        # Restarted once, so that the loaded tables are on disk even if everything is killed later.
        _say("Saving the tables ...")
        emulator.stop()
        children.remove(emulator)
        emulator = start_emulator()
    _say("Starting auth-server and mcp-server ...")
    auth = start("auth-server", _script("auth-server"), local.auth_settings(), _SERVICE_GRACE, "serve")
    auth.wait_until(lambda: answers(f"{local.issuer}/readyz"), _READY_SECONDS)
    mcp = start("mcp-server", _script("mcp-server"), local.mcp_settings(), _SERVICE_GRACE, "serve")
    demo = seed(local)
    mcp.wait_until(lambda: answers(f"{local.resource.removesuffix('/mcp')}/readyz"), _READY_SECONDS)
    print(announcement.text(demo), flush=True)


def _load(local: Installation, emulator: Child) -> bool:
    try:
        with Progress() as progress:
            return bool(load_demo_data(local.dynamodb_endpoint, local.file("tpch"), progress.show))
    except subprocess.CalledProcessError as error:
        raise CannotStart(f"The demo data could not be generated: {error}") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        # It takes a moment until a killed emulator is known to have ended.
        with contextlib.suppress(ChildEnded):
            emulator.wait_until(lambda: False, 2)
        emulator.require_running()
        raise CannotStart(f"The demo data could not be loaded: {error}") from error


def _watch(children: list[Child], started_by: int) -> None:
    while os.getppid() == started_by:
        for child in children:
            child.require_running()
        time.sleep(_WATCH_SECONDS)  # several children and a parent to watch, and no one event for all
    raise Stop


def _stop_all(children: list[Child]) -> None:
    if children:
        _say("\nStopping; the emulator saves its tables ...")
    for child in reversed(children):
        child.stop()


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
