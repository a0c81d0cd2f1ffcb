"""The stores that auth-server processes share, as things that can be taken away from them and given back."""

import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.dynamodb_emulators import DYNOXIDE_FILE, dynoxide_serving, store_url
from tests.support.emulator import CREDENTIALS, Emulator
from tests.support.processes import answers
from tests.support.redis_server import RedisServer, redis_serving
from tests.support.services import Addresses, auth_environment, run_cli


class StoreServer(Protocol):
    """An empty store of its own."""

    @property
    def environment(self) -> Mapping[str, str]:
        """AUTH_STORE_URL, and whatever else auth-server needs to reach it."""
        ...

    def stop(self) -> None:
        """Takes the store away at once, as a crash does."""
        ...

    def start(self) -> None:
        """Brings it back, with everything that it has acknowledged."""
        ...

    def stall(self) -> None:
        """Has the store answer nothing more, without ending a connection."""
        ...

    def resume(self) -> None:
        """Ends stall()."""
        ...

    def dump(self) -> bytes:
        """Everything that it holds, as whoever steals its disk would find it."""
        ...


class SqliteFile:
    """Implements StoreServer with a file: it is gone when it is moved, and stalls when another process locks it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: sqlite3.Connection | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """See StoreServer."""
        return {"AUTH_STORE_URL": f"sqlite://{self._path}"}

    def stop(self) -> None:
        """See StoreServer."""
        self._path.rename(self._path.with_name("moved"))

    def start(self) -> None:
        """See StoreServer."""
        self._path.with_name("moved").rename(self._path)

    def stall(self) -> None:
        """See StoreServer."""
        self._lock = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def resume(self) -> None:
        """See StoreServer."""
        assert self._lock is not None
        self._lock.close()

    def dump(self) -> bytes:
        """See StoreServer."""
        return b"".join(file.read_bytes() for file in self._path.parent.glob(f"{self._path.name}*"))


class RedisProcess:
    """Implements StoreServer with a Redis of its own: it is killed, and stalls when it is stopped by a signal."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis

    @property
    def environment(self) -> Mapping[str, str]:
        """See StoreServer."""
        return {"AUTH_STORE_URL": self._redis.url}

    def stop(self) -> None:
        """See StoreServer."""
        self._redis.server.kill()

    def start(self) -> None:
        """See StoreServer."""
        self._redis.restart()

    def stall(self) -> None:
        """See StoreServer."""
        self._redis.server.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """See StoreServer."""
        self._redis.server.process.send_signal(signal.SIGCONT)

    def dump(self) -> bytes:
        """See StoreServer."""
        return b"".join(file.read_bytes() for file in self._redis.directory.glob("appendonlydir/*"))


class DynoxideProcess:
    """Implements StoreServer with a DynamoDB emulator of its own: it is killed, and stalls when stopped by a signal."""

    def __init__(self, emulator: Emulator, file: Path) -> None:
        self._emulator, self._file = emulator, file

    @property
    def environment(self) -> Mapping[str, str]:
        """See StoreServer."""
        return {"AUTH_STORE_URL": store_url(self._emulator.endpoint_url, "auth"), **CREDENTIALS}

    def stop(self) -> None:
        """See StoreServer."""
        self._emulator.server.kill()

    def start(self) -> None:
        """See StoreServer."""
        self._emulator.server.start_again(answers(self._emulator.endpoint_url))

    def stall(self) -> None:
        """See StoreServer."""
        self._emulator.server.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """See StoreServer."""
        self._emulator.server.process.send_signal(signal.SIGCONT)

    def dump(self) -> bytes:
        """See StoreServer."""
        return b"".join(file.read_bytes() for file in self._file.parent.glob(f"{self._file.name}*"))


@contextmanager
def _sqlite(directory: Path) -> Iterator[StoreServer]:
    directory.mkdir()
    yield SqliteFile(directory / "auth.db")


@contextmanager
def _redis(directory: Path) -> Iterator[StoreServer]:
    with redis_serving(directory) as redis:
        yield RedisProcess(redis)


@contextmanager
def _dynamodb(directory: Path) -> Iterator[StoreServer]:
    with dynoxide_serving(directory, persistent=True) as emulator:
        store = DynoxideProcess(emulator, directory / DYNOXIDE_FILE)
        run_cli(auth_environment(Addresses(), directory, **store.environment), "store", "init")
        yield store


STORE_SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[StoreServer]]] = {
    "dynamodb": _dynamodb,
    "redis": _redis,
    "sqlite": _sqlite,
}
"""By name: starts a store that keeps its files in a directory."""
