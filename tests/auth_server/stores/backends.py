"""The stores that the contract suite runs on. A further backend is a further row here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import Store


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Store]:
    store = SqliteStore.open(path)
    try:
        yield store
    finally:
        store.close()


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {"sqlite": _sqlite}
"""By name: opens the store that belongs to a path; opened again, by any process, it is the same store."""
