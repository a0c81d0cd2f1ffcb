"""Child processes of the orchestrator: started under a supervisor, watched, ended in order."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx2

REPOSITORY = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.05


class ChildEnded(Exception):
    """A child ended early or did not become ready. The text names it and shows the last lines of its log."""


class Child:
    """One supervised command, in a session of its own so that the terminal's Ctrl-C does not reach it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        log: Path,
        *,
        grace: float,
        lock: int,
    ) -> None:
        """Starts it. `log` receives its output; `grace` is the number of seconds for an orderly stop.

        `lock` is the descriptor of the installation's lock: it stays held until every supervisor has ended too.
        """
        self.name, self.log, self._grace = name, log, grace
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", str(grace), *map(str, command)],
                cwd=REPOSITORY,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )

    def require_running(self) -> None:
        """Raises ChildEnded if it has ended."""
        status = self._process.poll()
        if status is not None:
            raise ChildEnded(f"{self.name} ended with status {status}. {self._last_lines()}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns once `ready` holds. Raises ChildEnded when the child ends first, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise ChildEnded(f"{self.name} was not ready after {seconds:.0f} seconds. {self._last_lines()}")
            time.sleep(_POLL_SECONDS)  # readiness is an HTTP answer: there is no event to wait on

    def end(self) -> None:
        """Asks it to stop, without waiting: the supervisor sees the end of its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self) -> None:
        """Waits until it has stopped: orderly within its grace period, else by SIGKILL."""
        try:
            self._process.wait(self._grace + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-count:]
        return "\n".join([f"The last lines of {self.log}:", *(f"    {line}" for line in lines)])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """A child's environment: `settings` over the caller's, without what could lead an AWS SDK to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOTO_"))}
    return kept | {"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1"} | dict(settings)


def answers(url: str) -> Callable[[], bool]:
    """Whether a GET of `url` gives 200 right now."""

    def probe() -> bool:
        try:
            return httpx2.get(url, timeout=5, trust_env=False).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False

    return probe
