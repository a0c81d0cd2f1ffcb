"""The file that holds the store: found or made, checked, migrated, and watched for being deleted or replaced."""

import contextlib
import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auth_server.adapters.sqlite_store import migrations
from auth_server.ports.store import UnusableStore

_OPENING_TIMEOUT = 5.0
"""Seconds that opening waits for another process's transaction."""
_REMEDY = "restore the store from its backup, or remove the marker file too to begin anew without people and keys"


@dataclass(frozen=True, slots=True)
class StoreFile:
    """An opened store's path and the identity of the file that was behind it then."""

    path: Path
    device: int
    inode: int

    def is_in_place(self) -> bool:
        """Whether the path still leads to the file that was opened; what is written elsewhere would be lost."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The file and its connections: one for each thread that writes, reads, or looks at the counter of changes."""

    file: StoreFile
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    watcher: sqlite3.Connection


def open_file(path: Path, *, verify: bool) -> OpenedFile:
    """Finds or creates the file, readable by its owner only, and migrates it. Raises UnusableStore.

    `verify` reads the whole file to see whether it is damaged.
    """
    try:
        with _alone_in(path.parent):
            _check_place(path)
            with contextlib.ExitStack() as opened:
                writer = opened.enter_context(contextlib.closing(connect(path)))
                _check_marker(path, _migrated(path, writer))
                if verify:
                    _check_pages(path, writer)
                reader = opened.enter_context(contextlib.closing(connect(path)))
                watcher = opened.enter_context(contextlib.closing(connect(path)))
                # The writing thread waits for a lock by itself, since it must be able to give up; the event loop never.
                writer.execute("PRAGMA busy_timeout = 0")
                watcher.execute("PRAGMA busy_timeout = 0")
                found = path.stat()
                opened.pop_all()
            return OpenedFile(StoreFile(path, found.st_dev, found.st_ino), writer, reader, watcher)
    except (OSError, sqlite3.Error, ValueError) as error:
        message = f"cannot use {path} as store: {error}"
        raise UnusableStore(message) from error


def _check_place(path: Path) -> None:
    """Creates the file where no store has been yet. Raises UnusableStore, OSError."""
    known = _read_marker(path)
    if known and (not path.exists() or path.stat().st_size == 0):
        # An empty store in its place would make new keys, and forget everybody without a word.
        message = f"the store {path} is gone, but {_marker(path)} shows that there was one: {_REMEDY}"
        raise UnusableStore(message)
    if known and known[1] != path.stat().st_ino and path.with_name(f"{path.name}-wal").exists():
        # SQLite would write the pages of the one into the other.
        message = (
            f"{path} has been replaced, but the write-ahead log {path}-wal is left of the file before it: remove it and"
            f" {path}-shm; or {_marker(path)}, if store and log were copied together"
        )
        raise UnusableStore(message)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        message = f"the store {path} has mode {mode:04o}, so that others can read it; run: chmod 600 {path}*"
        raise UnusableStore(message)


def _migrated(path: Path, db: sqlite3.Connection) -> str:
    """Leads the file to the present schema and gives the store's id. Raises UnusableStore, sqlite3.Error."""
    try:
        if migrations.version(db) != migrations.known_version():
            db.execute("BEGIN IMMEDIATE")
            migrations.migrate(db)
            db.execute("COMMIT")
    except migrations.NewerSchema as error:
        message = f"{path} has {error}"
        raise UnusableStore(message) from error
    except migrations.ForeignFile as error:
        message = f"cannot use {path} as store: it is another program's database"
        raise UnusableStore(message) from error
    (store_id,) = db.execute("SELECT store_id FROM store").fetchone()
    return str(store_id)


def _check_pages(path: Path, db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        message = f"the store {path} is damaged ({found}): restore it from its backup"
        raise UnusableStore(message)


def _check_marker(path: Path, store_id: str) -> None:
    known = _read_marker(path)
    if known is not None and known[0] != store_id:
        message = f"{path} is not the store that left {_marker(path)}: {_REMEDY}"
        raise UnusableStore(message)
    if known is None or known[1] != path.stat().st_ino:
        _write_marker(path, store_id)


def _marker(path: Path) -> Path:
    """The file beside a store that outlives it, so that its loss is noticed at the next start."""
    return path.with_name(f"{path.name}.id")


def _read_marker(path: Path) -> tuple[str, int] | None:
    """The id of the store that was last opened there, and its file's inode. Raises OSError, ValueError."""
    if not _marker(path).exists():
        return None
    store_id, inode = _marker(path).read_text("ascii").split()
    return store_id, int(inode)


def _write_marker(path: Path, store_id: str) -> None:
    descriptor = os.open(_marker(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{store_id} {path.stat().st_ino}\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
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


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file, which may be used from any one thread at a time. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=_OPENING_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # WAL's default would lose the last commits in a power cut: a used code would work again.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
