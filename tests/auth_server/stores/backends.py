"""The stores that the contract suite runs on. A further backend is a further row here."""

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from auth_server.adapters.redis_store.store import open_redis
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import Store
from shared_kernel.entropy import SystemEntropy
from tests.support.dynamodb_emulators import store_url

EMULATORS = {"dynamodb-dynoxide": "TEST_DYNOXIDE_URL", "dynamodb-ministack": "TEST_MINISTACK_URL"}
"""The variables that name the session's emulators, also for processes that a test starts."""
_PATIENCE = 60.0
"""A busy machine is slow, not wrong."""

REDIS_URL = "TEST_REDIS_URL"
"""The variable that names the session's Redis, also for processes that a test starts."""


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Store]:
    _lay_empty_store(path)
    store = SqliteStore.open(path)
    try:
        yield store
    finally:
        store.close()


def _lay_empty_store(path: Path) -> None:
    """Puts a store without records there, whole at once, unless there is one."""
    if path.exists():
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as whole, contextlib.suppress(FileExistsError):
        whole.write(_empty_store())
        whole.flush()
        os.link(whole.name, path)


@functools.cache
def _empty_store() -> bytes:
    """The file of a store that was only just made: migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "empty.sqlite")
        SqliteStore.open(path).close()
        return path.read_bytes()


def prefix(path: Path) -> str:
    """What the names of everything in that path's store begin with, where one server has many stores."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _redis(path: Path) -> AbstractAsyncContextManager[Store]:
    return open_redis(f"{os.environ[REDIS_URL]}?prefix={prefix(path)}")


def _dynamodb(backend: str) -> Callable[[Path], AbstractAsyncContextManager[Store]]:
    @asynccontextmanager
    async def opened(path: Path) -> AsyncIterator[Store]:
        # The SDK takes half a second to import, which tests of other stores need not wait for.
        from auth_server.adapters.dynamodb_store.address import address_in
        from auth_server.adapters.dynamodb_store.connection import connected
        from auth_server.adapters.dynamodb_store.schema import create_table
        from auth_server.adapters.dynamodb_store.store import DynamoDbStore
        from auth_server.adapters.dynamodb_store.table import Table

        url = store_url(os.environ[EMULATORS[backend]], prefix(path))
        address = address_in(url)
        async with connected(address, _PATIENCE) as client:
            await create_table(client, address.table)
            yield DynamoDbStore(Table(client, address.table, SystemEntropy(), _PATIENCE))

    return opened


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {
    **{backend: _dynamodb(backend) for backend in EMULATORS},
    "redis": _redis,
    "sqlite": _sqlite,
}
"""By name: opens the store that belongs to a path; opened again, by any process, it is the same store."""
