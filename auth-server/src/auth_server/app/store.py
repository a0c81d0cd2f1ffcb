"""Which store stands behind AUTH_STORE_URL, and what an operator does with a whole store."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.backup_file import new_backup, open_backup
from auth_server.adapters.signing_keys import KeysLost, SealedKeyRing, WrongMasterKey, open_key_ring
from auth_server.adapters.sqlite_store.store import open_sqlite
from auth_server.flows.administration import copying
from auth_server.flows.administration.operation import Operation, recorded
from auth_server.ports.store import Store, UnusableStore
from auth_server.settings import Settings
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.entropy import Entropy, SystemEntropy
from shared_kernel.key_file import read_key_file


class _Opener(Protocol):
    """Opens the store that a URL names, for as long as the context lasts. Raises UnusableStore."""

    def __call__(self, url: str, *, verify: bool) -> AbstractAsyncContextManager[Store]: ...


class _Preparer(Protocol):
    """Makes the store that a URL names; False if it was there. Raises UnusableStore, StoreUnavailable."""

    async def __call__(self, url: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Backend:
    """A kind of store, by its `name`.

    `client_freshness` is for how many seconds a client need not be read again. `prepare` is None where opening a store
    makes it.
    """

    name: str
    open: _Opener
    client_freshness: float
    prepare: _Preparer | None = None


# The clients of Redis and of DynamoDB take up to half a second to import, which a server on another store, and every
# command of an operator, need not wait for.
def _open_redis(url: str, *, verify: bool) -> AbstractAsyncContextManager[Store]:
    from auth_server.adapters.redis_store.store import open_redis  # noqa: PLC0415 (said above)

    return open_redis(url, verify=verify)


def _open_dynamodb(
    url: str,
    *,
    verify: bool,  # noqa: ARG001 (damage is DynamoDB's to notice)
) -> AbstractAsyncContextManager[Store]:
    from auth_server.adapters.dynamodb_store.store import open_dynamodb  # noqa: PLC0415 (said above)

    return open_dynamodb(url)


async def _prepare_dynamodb(url: str) -> bool:
    from auth_server.adapters.dynamodb_store.store import prepare_dynamodb  # noqa: PLC0415 (said above)

    return await prepare_dynamodb(url)


_BACKENDS: Mapping[str, _Backend] = {
    "sqlite": _Backend("sqlite", open_sqlite, client_freshness=0.0),
    "redis": _Backend("redis", _open_redis, client_freshness=2.0),
    "rediss": _Backend("redis", _open_redis, client_freshness=2.0),
    "dynamodb": _Backend("dynamodb", _open_dynamodb, client_freshness=2.0, prepare=_prepare_dynamodb),
}
"""By the scheme of AUTH_STORE_URL."""


class CannotStart(Exception):
    """The service cannot be set up; the text is one line for the operator."""


async def prepare_store(settings: Settings) -> bool:
    """Makes the configured store, where a server does not do that itself; False if there is nothing left to do.

    Raises CannotStart, StoreUnavailable.
    """
    prepare = backend(settings.store_url).prepare
    if prepare is None:
        return False
    with _telling_of_the_setting():
        return await prepare(settings.store_url)


async def copy_store(source_url: str, target_url: str, administrator: str) -> int:
    """Fills an empty store with everything in another; gives the number of records. Raises CannotStart, CannotDo.

    The audit trails of both say who did it.
    """
    async with open_store(source_url) as source, open_store(target_url) as target:
        count = await copying.copy(source, target)
        for store, verb, other in ((source, "copy store to", target_url), (target, "copy store from", source_url)):
            await _note(store, Operation(administrator, verb, urlsplit(other).scheme))
        return count


async def back_up_store(settings: Settings, path: Path, administrator: str) -> int:
    """Writes the store into a file; gives the number of records. The audit trail says who did it.

    Raises CannotStart, UnusableKeyFile, UnusableBackup, CannotDo.
    """
    master_key = read_key_file(settings.master_key_file)
    async with open_store(settings.store_url) as store:
        with new_backup(path, master_key) as backup:
            count = await copying.pour(store.records(), backup.restore)
        if settings.audit_days > 0:
            await _note(store, Operation(administrator, "back up store", str(path)))
        return count


async def restore_store(settings: Settings, path: Path, administrator: str) -> int:
    """Fills the store, which is empty, from a file, as back_up_store() writes it; gives the number of records."""
    backup = open_backup(path, read_key_file(settings.master_key_file))
    async with open_store(settings.store_url) as store:
        await copying.check_empty(store)
        count = await copying.pour(backup.records(), store.restore)
        if settings.audit_days > 0:
            await _note(store, Operation(administrator, "restore store", str(path)))
        return count


async def _note(store: Store, operation: Operation) -> None:
    """Records an operation that is done: a store that is filled must be empty before."""
    trail = StoreAuditTrail(store, SystemClock(), SystemEntropy())
    async with recorded(trail, operation):
        pass
    await trail.close()


@asynccontextmanager
async def open_store(url: str, *, verify: bool = False) -> AsyncIterator[Store]:
    """The store that AUTH_STORE_URL names, which other processes may have open too. Raises CannotStart.

    `verify` looks for damage, which takes time.
    """
    kind = backend(url)
    async with AsyncExitStack() as opened:
        with _telling_of_the_setting():
            store = await opened.enter_async_context(kind.open(url, verify=verify))
        yield store


@contextmanager
def _telling_of_the_setting() -> Iterator[None]:
    """UnusableStore as CannotStart."""
    try:
        yield
    except UnusableStore as error:
        message = f"{error}; see AUTH_STORE_URL"
        raise CannotStart(message) from error


def backend(url: str) -> _Backend:
    """The kind of store that a URL names. Raises CannotStart."""
    scheme = urlsplit(url).scheme
    if scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        message = f"AUTH_STORE_URL names a store of kind {scheme!r}; there are {known}"
        raise CannotStart(message)
    return _BACKENDS[scheme]


async def open_keys(store: Store, master_key: bytes, clock: Clock, entropy: Entropy, *, outage: float) -> SealedKeyRing:
    """The signing keys in a store. Raises CannotStart."""
    try:
        return await open_key_ring(store, master_key, clock, entropy, outage=outage)
    except KeysLost as error:
        message = f"{error}; see AUTH_STORE_URL"
        raise CannotStart(message) from error
    except WrongMasterKey as error:
        message = f"AUTH_MASTER_KEY_FILE: {error}"
        raise CannotStart(message) from error
