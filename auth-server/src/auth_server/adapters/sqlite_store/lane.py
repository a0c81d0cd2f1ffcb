"""A thread with one connection that runs functions in batches: one transaction, and one flush to disk, per batch.

A batch takes what is waiting when the one before it is done, so that load makes batches larger rather than waits
longer. What is asked for while the event loop has more work at hand is shown to the thread when it has none left: a
batch costs a flush, and two threads that take the interpreter's lock from each other, whatever its size. Each function
sees what its predecessors in the batch wrote, as if each had a transaction of its own; nobody is answered before the
commit.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from auth_server.adapters.sqlite_store.health import Health
from auth_server.ports.store import StoreUnavailable

MAX_WAITING = 512
"""Functions that may wait for the thread; beyond it, callers are turned away at once."""
MAX_BATCH = 64
QUIET_TURNS = 2
"""Turns of the event loop without another function that a batch waits for."""
MOST_TURNS = 32
"""Turns that it waits at most."""
_RETRY_SECONDS = 0.005
_OUR_MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A function waiting for its turn, and who waits for its result."""

    function: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]
    arrived: float
    patience: float

    def is_late(self, now: float) -> bool:
        """Whether its caller has waited long enough."""
        return now - self.arrived >= self.patience


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a job raised."""

    error: BaseException


class _Locked(Exception):
    """Another process holds the lock."""


class Lane:
    """One thread's queue over one connection, which either writes or reads.

    `patience` is how long a caller waits for another process's lock, in seconds, wherever it stands in the queue. Once
    such a wait was in vain, callers are turned away at once until the lock can be had.
    """

    def __init__(self, connection: sqlite3.Connection, health: Health, *, writes: bool, patience: float) -> None:
        self._connection, self._health, self._writes, self._patience = connection, health, writes, patience
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._arriving: deque[_Job] = deque()  # for the thread to see when their event loop has nothing more at hand
        self._announcer: asyncio.AbstractEventLoop | None = None  # the event loop that will show them
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = self._locked = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="sqlite-writer" if writes else "sqlite-reader")
        self._thread.start()

    async def run(self, function: Callable[[sqlite3.Connection], Any], patience: float | None = None) -> Any:
        """The function's result, once its transaction is over. Raises StoreUnavailable, having changed nothing."""
        now = time.monotonic()
        busy_since = self._busy_since
        # A disk that does not answer keeps the thread: who comes now is told so, and has changed nothing.
        stuck = busy_since is not None and now - busy_since > 2 * self._patience
        if stuck or self._closing or len(self._waiting) + len(self._arriving) >= MAX_WAITING:
            raise StoreUnavailable
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        job = _Job(function, answer, now, self._patience if patience is None else patience)
        self._arriving.append(job)
        if self._announcer is not loop:
            self._announcer = loop
            loop.call_soon(self._announce, loop, len(self._arriving), QUIET_TURNS, MOST_TURNS)
        try:
            return await answer
        except asyncio.CancelledError:
            self._forget(job)
            raise

    def _announce(self, loop: asyncio.AbstractEventLoop, seen: int, quiet: int, turns: int) -> None:
        """Shows the thread what has arrived, once nothing has for some turns."""
        arrived = len(self._arriving)
        quiet = QUIET_TURNS if arrived > seen else quiet - 1
        if quiet and turns and arrived < MAX_BATCH:
            loop.call_soon(self._announce, loop, arrived, quiet, turns - 1)
            return
        self._announcer = None
        with self._changed:
            self._take_over()
            self._changed.notify()

    def _take_over(self) -> None:
        while self._arriving:
            self._waiting.append(self._arriving.popleft())

    def _forget(self, job: _Job) -> None:
        """Frees the place of a caller who has given up."""
        with self._changed:
            for queue in (self._arriving, self._waiting):
                if job in queue:
                    queue.remove(job)

    def close(self) -> None:
        """Runs what is waiting and closes the connection."""
        with self._changed:
            self._closing = True
            self._take_over()
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            self._busy_since = time.monotonic()
            try:
                self._work(batch)
            finally:
                self._busy_since = None
        self._connection.close()

    def _take(self) -> list[_Job]:
        """The next batch; empty once the lane closes."""
        with self._changed:
            while True:
                # Who has given up meanwhile is not served.
                batch = [job for job in self._popped() if not job.answer.cancelled()]
                if batch or (self._closing and not self._waiting):
                    return batch
                if not self._waiting:
                    self._changed.wait()

    def _popped(self) -> list[_Job]:
        return [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]

    def _work(self, batch: list[_Job]) -> None:
        batch = self._begun(batch)
        if not batch:
            return
        try:
            outcomes = self._attempt(batch)
        except sqlite3.Error as error:
            self._health.note_fault(error)
            outcomes = [_unavailable(error)] * len(batch)
        _settle(batch, outcomes)

    def _begun(self, batch: list[_Job]) -> list[_Job]:
        """Begins a transaction; gives those of the batch who have not lost patience by then."""
        while batch:
            try:
                self._begin_transaction()
            except _Locked as error:
                now = time.monotonic()
                late = [job for job in batch if self._locked or job.is_late(now)]
                batch = [job for job in batch if not (self._locked or job.is_late(now))]
                self._note_lock(held=self._locked or any(job.patience >= self._patience for job in late))
                _settle(late, [_unavailable(error)] * len(late))
                if batch:
                    with self._changed:
                        self._changed.wait(_RETRY_SECONDS)
            except StoreUnavailable as error:
                _settle(batch, [_Failed(error)] * len(batch))
                return []
            else:
                self._note_lock(held=False)
                return batch
        return []

    def _begin_transaction(self) -> None:
        """Raises StoreUnavailable, or _Locked if waiting could help."""
        if self._writes and not self._health.may_write():
            raise StoreUnavailable
        try:
            self._connection.execute(self._begin)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise _Locked from error
            self._health.note_fault(error)
            raise StoreUnavailable from error

    def _attempt(self, batch: Sequence[_Job]) -> list[Any]:
        """Results of a batch whose transaction has begun. Raises sqlite3.Error for a fault that concerns them all."""
        try:
            results = [job.function(self._connection) for job in batch]
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OUR_MISTAKES):
                raise
            if len(batch) == 1:
                return [_Failed(error)]
            return self._one_by_one(batch)
        # An acknowledged write must be in the store that the next start will find.
        if self._writes and not self._health.may_write():
            return [_unavailable(None)] * len(batch)
        return results

    def _one_by_one(self, batch: Sequence[_Job]) -> list[Any]:
        """As _attempt, each in a transaction of its own: one of them raised, and must not undo the others."""
        outcomes: list[Any] = []
        for job in batch:
            try:
                self._begin_transaction()
                outcomes += self._attempt([job])
            except (_Locked, StoreUnavailable, sqlite3.Error) as error:
                outcomes.append(_unavailable(error))
        return outcomes

    def _note_lock(self, *, held: bool) -> None:
        if held != self._locked:
            self._health.note_lock(held=held, waited=self._patience)
        self._locked = held


def _unavailable(cause: BaseException | None) -> _Failed:
    error = StoreUnavailable()
    error.__cause__ = cause
    return _Failed(error)


def _settle(batch: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    """Hands every caller its outcome, in one wake-up of its event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, outcome in zip(batch, outcomes, strict=True):
        loops.setdefault(job.answer.get_loop(), []).append((job.answer, outcome))
    for loop, answers in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:
            continue  # the loop has ended, and with it everybody who waited


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for answer, outcome in answers:
        if answer.done():
            continue
        if isinstance(outcome, _Failed):
            answer.set_exception(outcome.error)
        else:
            answer.set_result(outcome)
