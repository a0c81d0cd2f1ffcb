"""Runs one command and ends it, gently first, when its own parent is gone.

    python -m deploy.local.supervisor GRACE_SECONDS COMMAND [ARGUMENT ...]

Standard input is a pipe whose other end only the parent holds. However the parent ends, SIGKILL included, the kernel
closes that end; the command then gets SIGTERM and, after the grace period, SIGKILL. So an emulator that saves
its tables on an orderly stop keeps them. Exits with the command's status (128 + n for signal n). Standard library only.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Runs the command to its end and gives its exit status."""
    grace, command = float(arguments[0]), arguments[1:]
    # The terminal's Ctrl-C is for the parent, which decides in which order its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_supervisor)  # noqa: PLW1509  # before any thread

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        child.terminate()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    threading.Thread(target=_end_at_end_of_input, args=(child, grace), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _end_at_end_of_input(child: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(0, 4096):
        pass
    child.terminate()
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()


def _end_with_supervisor() -> None:
    """In the child: where the kernel offers it, SIGTERM when the supervisor itself is killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
