"""One SQLite file, driven from threads of its own so that the event loop never waits for a disk.

One thread writes, one reads; each owns its connection. What they need not be asked for is remembered (memory.py).
Several processes on the same host may share the file.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

from auth_server.adapters.sqlite_store.file import connect, open_file
from auth_server.adapters.sqlite_store.health import Health
from auth_server.adapters.sqlite_store.lane import Lane
from auth_server.adapters.sqlite_store.memory import ChangeCounter
from auth_server.ports.store import StoreUnavailable

_STREAMED = 500
"""Values that a stream reads ahead."""
PATIENCE = 2.0
"""Seconds that an operation waits for another process's lock before it is answered 503."""

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """Runs functions over the file's connections. Opened by open_database()."""

    def __init__(self, reader: Lane, writer: Lane, changes: ChangeCounter, path: Path) -> None:
        self._reader, self._writer = reader, writer
        self.changes, self._path = changes, path

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The query's result over a consistent snapshot. Raises StoreUnavailable."""
        return cast("T", await self._reader.run(lambda db: query(db, *args, **kwargs)))

    async def write(
        self, verb: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs the verb as if no other writer existed; on disk when this returns.

        Raises StoreUnavailable, having changed nothing.
        """
        return cast("T", await self._writer.run(lambda db: verb(db, *args, **kwargs)))

    async def probe(self, verb: Callable[[sqlite3.Connection], None], patience: float) -> None:
        """As write, with a patience of its own."""
        await self._writer.run(verb, patience)

    async def stream(self, query: Callable[[sqlite3.Connection], Iterator[T]]) -> AsyncIterator[T]:
        """All that the query yields over one snapshot, while others read and write. Raises StoreUnavailable."""
        try:
            connection = await asyncio.to_thread(connect, self._path)
            try:
                connection.execute("BEGIN")
                found = query(connection)
                while taken := await asyncio.to_thread(lambda: list(islice(found, _STREAMED))):
                    for each in taken:
                        yield each
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreUnavailable from error

    def close(self) -> None:
        """Finishes what is under way and closes the file."""
        self._reader.close()
        self._writer.close()
        self.changes.close()


def open_database(path: Path, *, verify: bool = False, patience: float = PATIENCE) -> Database:
    """Opens or creates the file. Raises UnusableStore."""
    opened = open_file(path, verify=verify)
    health = Health(opened.file)
    return Database(
        reader=Lane(opened.reader, health, writes=False, patience=patience),
        writer=Lane(opened.writer, health, writes=True, patience=patience),
        changes=ChangeCounter(opened.watcher),
        path=path,
    )
