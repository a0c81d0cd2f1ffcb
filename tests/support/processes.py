"""Servers as real operating-system processes: started with a bounded wait, logging to a file, always ended."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / ".venv" / "bin"
"""Where the console scripts under test are installed."""

START_SECONDS = 120.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


class ProcessEnded(AssertionError):
    """A server ended, or did not become ready, while a test needed it. The text holds the end of its log."""


class Server:
    """One started process. `log` holds everything it has written; further starts of a name append to it."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.command, self.environment, self.log = name, list(command), dict(environment), log
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_again(self, ready: Callable[[], bool]) -> None:
        """Starts the same program anew after it has ended, and waits until it is ready."""
        assert self.process.poll() is not None, f"{self.name} still runs"
        self.process = self._started()
        self.wait_until(ready)

    @property
    def pid(self) -> int:
        """The process id, to send signals to or to find children by."""
        return self.process.pid

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Returns once `ready` holds. Raises ProcessEnded when the process ends first, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._ended_within(_POLL_SECONDS):
                raise ProcessEnded(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessEnded(f"{self.name} was not ready after {seconds} s:\n{self.tail()}")

    def stop(self) -> int:
        """Asks the process to end, as an operator does; gives its exit status. Raises ProcessEnded if it will not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if not self._ended_within(STOP_SECONDS):
            self.kill()
            raise ProcessEnded(f"{self.name} did not end within {STOP_SECONDS} s of SIGTERM:\n{self.tail()}")
        return self.process.returncode

    def kill(self) -> None:
        """Ends the process as a crash does: at once, without a chance to clean up. Its children are left alone."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def kill_group(self) -> None:
        """Ends the process and all descendants that stayed in its process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def tail(self, characters: int = 4000) -> str:
        """The end of the log."""
        return self.log.read_text("utf-8", "replace")[-characters:]

    def _ended_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, ready: Callable[[], bool]
) -> Iterator[Server]:
    """A server that is ready, and is gone with all its children after the block."""
    server = Server(name, command, environment, log)
    try:
        server.wait_until(ready)
        yield server
    finally:
        server.kill_group()


def answers(url: str, status: int = 200) -> Callable[[], bool]:
    """Whether a GET of `url` gives that status right now."""
    parts = urlsplit(url)

    def probe() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Returns once `condition` holds; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(_POLL_SECONDS)  # the one pause of the suite: what it polls for has no event to wait on


def free_port() -> int:
    """A TCP port of the loopback address on which nothing listens, and which no other worker hands out.

    It lies below the ports that the kernel gives to clients, so that no connection takes it before its server does.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12_000 + worker % 10 * 2_000
    for port in _numbers():
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", first + port % 2_000))
            return first + port % 2_000
    raise AssertionError("the numbers never end")


@cache
def _numbers() -> Iterator[int]:
    """Where the search for the next free port begins: another place in every process."""
    return itertools.count(os.getpid() * 7)


def clean_environment(**more: str) -> dict[str, str]:
    """The environment for a child: what programs need to run at all, none of the caller's settings, and `more`."""
    inherited = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in inherited if name in os.environ} | more
