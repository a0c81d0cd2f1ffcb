"""A supervised command ends with its parent, however the parent ends, and gets the time to end well."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, wait_for

pytestmark = pytest.mark.slow

SECONDS = 60

# Says that it runs; on SIGTERM says that it ends well, or does not care.
ORDERLY = """
import pathlib, signal, sys
directory = pathlib.Path(sys.argv[1])
def end(*_):
    (directory / "ended").write_text("well")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
(directory / "pid").write_text(str(__import__("os").getpid()))
while True:
    signal.pause()
"""
STUBBORN = ORDERLY.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")

# A parent that starts the supervisor as the orchestrator does, and waits to be killed.
PARENT = """
import signal, subprocess, sys
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
signal.pause()
"""


def supervised(directory: Path, code: str, grace: float) -> list[str]:
    """The command line of a supervisor over a Python program."""
    program = [sys.executable, "-c", code, str(directory)]
    return [sys.executable, "-m", "deploy.local.supervisor", str(grace), *program]


def started(directory: Path) -> int:
    """The process id of the program, once it runs."""
    wait_for(lambda: (directory / "pid").exists() and (directory / "pid").read_text() != "", SECONDS, "the start")
    return int((directory / "pid").read_text())


def is_running(process: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter when it ends between the opening and the reading
        return False


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor whose pipe this test holds."""
    command = supervised(tmp_path, ORDERLY, 10)
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process


def test_the_command_ends_well_when_the_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no chance to tell anybody; the kernel closes its end of the pipe."""
    command = supervised(tmp_path, ORDERLY, 10)
    with subprocess.Popen([sys.executable, "-c", PARENT, *command], cwd=REPOSITORY) as parent:
        program = started(tmp_path)
        parent.kill()
    wait_for(lambda: not is_running(program), SECONDS, "the end of the command")
    assert (tmp_path / "ended").read_text() == "well"


def test_a_command_that_ignores_the_request_is_killed_after_its_grace_period(tmp_path: Path) -> None:
    """Nothing outlives the pair for ever."""
    command = supervised(tmp_path, STUBBORN, 0.2)
    with subprocess.Popen([sys.executable, "-c", PARENT, *command], cwd=REPOSITORY) as parent:
        program = started(tmp_path)
        parent.kill()
    wait_for(lambda: not is_running(program), SECONDS, "the end of the command")
    assert not (tmp_path / "ended").exists()


def test_the_command_ends_well_when_the_supervisor_itself_is_killed(
    tmp_path: Path, supervisor: subprocess.Popen[bytes]
) -> None:
    """Our choice: nothing is left behind even then, where the kernel can tell the child."""
    program = started(tmp_path)
    supervisor.kill()
    wait_for(lambda: not is_running(program), SECONDS, "the end of the command")
    assert (tmp_path / "ended").read_text() == "well"


def test_the_terminals_interrupt_is_left_to_the_parent(tmp_path: Path, supervisor: subprocess.Popen[bytes]) -> None:
    """Ctrl-C must not end the emulator before the services that use it."""
    program = started(tmp_path)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    assert supervisor.wait(SECONDS) == 7
    assert not is_running(program)


def test_the_status_of_the_command_is_the_supervisors(tmp_path: Path, supervisor: subprocess.Popen[bytes]) -> None:
    """A death by signal is told apart from an exit, as shells do."""
    os.kill(started(tmp_path), signal.SIGKILL)
    assert supervisor.wait(SECONDS) == 128 + signal.SIGKILL
