"""The stores that the contract suite runs on. A further backend is a further row here."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports import (
    ClientStore,
    CodeStore,
    GrantStore,
    Maintenance,
    RefreshStore,
    SessionStore,
    SigningKeyStore,
    TransactionStore,
    UserStore,
)


class Store(
    ClientStore,
    UserStore,
    SessionStore,
    TransactionStore,
    CodeStore,
    RefreshStore,
    GrantStore,
    SigningKeyStore,
    Maintenance,
    Protocol,
):
    """Every store port at once."""


@contextlib.contextmanager
def _sqlite(path: Path) -> Iterator[Store]:
    store = SqliteStore.open(path)
    try:
        yield store
    finally:
        store.close()


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {"sqlite": _sqlite}
"""By name: opens the store that belongs to a path; opened again, by any process, it is the same store."""
