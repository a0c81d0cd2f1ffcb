"""Writes log lines in batches, from one thread, so that a line costs its caller an append and no system call."""

import os
import select
import threading
from collections import deque

INTERVAL_SECONDS = 0.05
"""Most time that a line waits while others are written, and so what a SIGKILL can lose."""
PENDING_LIMIT = 10_000
"""Most lines that wait; whoever adds one more writes them all, as slowly as the reader at the other end allows."""


class LineWriter:
    """A line that comes after a pause is written at once, those that follow it in INTERVAL_SECONDS together.

    Every line handed to `write` is written, in order, before the process exits: by `close`, which the owner registers
    to run then, and afterwards by `write` itself.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: deque[bytes] = deque()  # appends and pops are atomic, so that callers need no lock
        self._writing = threading.Lock()
        self._some = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write_batches, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Takes one line, with its line feed."""
        self._pending.append(line)
        if not self._some.is_set():
            self._some.set()
        if self._closed.is_set() or len(self._pending) > PENDING_LIMIT:
            self.flush()

    def flush(self) -> None:
        """Writes everything that was taken before."""
        with self._writing:
            lines = []
            while self._pending:
                lines.append(self._pending.popleft())
            self._write(b"".join(lines))

    def close(self) -> None:
        """Writes everything, and from now on every line as it comes."""
        self._closed.set()
        self._some.set()
        self._thread.join()
        self.flush()

    def _write_batches(self) -> None:
        while not self._closed.is_set():
            self._some.wait()
            self._some.clear()
            self.flush()
            self._closed.wait(INTERVAL_SECONDS)

    def _write(self, data: bytes) -> None:
        remaining = memoryview(data)
        while remaining:
            try:
                remaining = remaining[os.write(self._descriptor, remaining) :]
            except BlockingIOError:  # somebody who shares the pipe made it so
                select.select([], [self._descriptor], [])
            except OSError:  # nobody reads any more, and there is nobody else to tell
                return
