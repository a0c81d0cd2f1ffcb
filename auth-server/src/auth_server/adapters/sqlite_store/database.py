"""One SQLite file, driven from threads of its own so that the event loop never waits for a disk.

One thread writes, one reads; each owns its connection. Several processes on the same host may share the file.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from auth_server.ports.store import StoreUnavailable

SCHEMA_VERSION = 1
BUSY_TIMEOUT = 5.0
"""Seconds that a writer waits for another process's."""
_SCHEMA = Path(__file__).with_name("schema.sql")

P = ParamSpec("P")
T = TypeVar("T")


class UnusableStore(Exception):
    """The file cannot be this server's store. The text says why, for the operator."""


class Database:
    """Runs functions over the file's two connections. Opened by open_database()."""

    def __init__(
        self,
        reader: sqlite3.Connection,
        writer: sqlite3.Connection,
        read_thread: ThreadPoolExecutor,
        write_thread: ThreadPoolExecutor,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._read_thread, self._write_thread = read_thread, write_thread

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The query's result over a consistent snapshot. Raises StoreUnavailable."""

        def work() -> T:
            with _available(), _transaction(self._reader, "BEGIN"):
                return query(self._reader, *args, **kwargs)

        return await asyncio.wrap_future(self._read_thread.submit(work))

    async def write(
        self, verb: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs the verb in a transaction that no other writer overlaps; on disk when this returns.

        Raises StoreUnavailable, having changed nothing.
        """

        def work() -> T:
            with _available(), _transaction(self._writer, "BEGIN IMMEDIATE"):
                return verb(self._writer, *args, **kwargs)

        return await asyncio.wrap_future(self._write_thread.submit(work))

    def close(self) -> None:
        """Finishes what is under way and closes the file."""
        for thread, connection in ((self._read_thread, self._reader), (self._write_thread, self._writer)):
            thread.submit(connection.close).result()
            thread.shutdown()


def open_database(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> Database:
    """Opens or creates the file, readable by its owner only. Raises UnusableStore."""
    write_thread = ThreadPoolExecutor(1, "sqlite-writer")
    read_thread = ThreadPoolExecutor(1, "sqlite-reader")
    try:
        with _alone_in(path.parent):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            writer = write_thread.submit(_open_writer, path, busy_timeout).result()
            reader = read_thread.submit(_connect, path, busy_timeout).result()
    except (OSError, sqlite3.Error) as error:
        write_thread.shutdown()
        read_thread.shutdown()
        message = f"cannot use {path} as store: {error}"
        raise UnusableStore(message) from error
    return Database(reader, writer, read_thread, write_thread)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Lets processes open a store in a directory one by one.

    Two that switch a new file to WAL at once would deadlock; SQLite tells one "database is locked" without waiting.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and with it the lock, as also when the process is killed


def _open_writer(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = _connect(path, busy_timeout)
    with _transaction(connection, "BEGIN IMMEDIATE"):
        version = _version(connection)
        if version is None:
            for statement in _SCHEMA.read_text("utf-8").split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))
    if version is not None and version != SCHEMA_VERSION:
        connection.close()
        message = (
            f"{path} has schema version {version}, this server knows {SCHEMA_VERSION}: "
            f"{'upgrade the server' if version > SCHEMA_VERSION else 'the store is too old'}"
        )
        raise UnusableStore(message)
    return connection


def _version(connection: sqlite3.Connection) -> int | None:
    """The schema's version; None in a file without tables. Raises sqlite3.DatabaseError for another program's file."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
        return None
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0])


def _connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    # WAL's default would lose the last commits in a power cut: a used code would work again.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # our mistake, not the disk's
        raise StoreUnavailable from error
