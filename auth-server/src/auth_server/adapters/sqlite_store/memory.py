"""What need not be read from the file again: forgotten the moment that the file says otherwise."""

import asyncio
import sqlite3
from typing import Generic, TypeVar, cast

from auth_server.adapters.remembered import Remembered

K = TypeVar("K")
V = TypeVar("V")


class ChangeCounter:
    """Counts what has changed clients and signing keys, by whichever process, up to this moment.

    It reads on the event loop, once in each of its turns, which takes a few microseconds: the one row is in memory, and
    in WAL mode a reader waits for no writer. Requests served in one turn had arrived before it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_fresh, self._number = False, cast("int | None", None)

    def read(self) -> int | None:
        """The number, None if it cannot be read."""
        if not self._is_fresh:
            try:
                row = self._connection.execute("SELECT changes FROM store").fetchone()
            except sqlite3.Error:
                row = None
            self._number = int(row[0]) if row else None
            self._is_fresh = True
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._number

    def _end_turn(self) -> None:
        self._is_fresh = False

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class Watched(Generic[K, V]):
    """As Remembered, for what changes now and then: every answer is as true as if it had been read from the file."""

    def __init__(self, counter: ChangeCounter, limit: int) -> None:
        self._counter, self._values = counter, Remembered[K, V](limit)
        self._read_at: int | None = None

    def get(self, key: K) -> V | None:
        """The value, if it is remembered and nothing has changed since it was read."""
        return self._values.get(key) if self.moment() is not None else None

    def moment(self) -> int | None:
        """A number to be handed to put() with what is read from now on; None if nothing may be remembered."""
        now = self._counter.read()
        if now != self._read_at:
            self._values.clear()
            self._read_at = now
        return now

    def put(self, key: K, value: V, moment: int | None) -> None:
        """Remembers a value that was read after `moment`, unless there have been changes that it may lack."""
        if moment is not None and moment == self._read_at:
            self._values.put(key, value)
