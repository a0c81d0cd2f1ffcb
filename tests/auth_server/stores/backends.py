"""The stores that the contract suite runs on. A further backend is a further row here."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from auth_server.adapters.redis_store.store import open_redis
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import Store

REDIS_URL = "TEST_REDIS_URL"
"""The variable that names the session's Redis, also for processes that a test starts."""


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Store]:
    store = SqliteStore.open(path)
    try:
        yield store
    finally:
        store.close()


def prefix(path: Path) -> str:
    """What the names of everything in that path's store begin with, where one server has many stores."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _redis(path: Path) -> AbstractAsyncContextManager[Store]:
    return open_redis(f"{os.environ[REDIS_URL]}?prefix={prefix(path)}")


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {
    "redis": _redis,
    "sqlite": _sqlite,
}
"""By name: opens the store that belongs to a path; opened again, by any process, it is the same store."""
