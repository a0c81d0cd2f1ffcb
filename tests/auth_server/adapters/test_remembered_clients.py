"""Clients between a store and whoever asks for them: as fresh as was agreed, and there when the store is not."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from auth_server.adapters.remembered_clients import RETRY_SECONDS, RememberedClients
from auth_server.adapters.sqlite_store.database import open_database
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.client import Client, ClientSecret
from auth_server.ports.store import StoreUnavailable
from tests.auth_server.stores.test_contract import CLIENT, NOW
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

FRESHNESS, OUTAGE = 2.0, 60.0
RENAMED = replace(CLIENT, name="Renamed")


class WatchedStore(SqliteStore):
    """A store that can be made unreachable, that counts its readings, and that can hold one up."""

    readings = 0
    away = False
    held_up: anyio.Event | None = None

    async def client(self, client_id: str) -> Client | None:
        self.readings += 1
        if self.away:
            raise StoreUnavailable
        client = await super().client(client_id)
        if self.held_up is not None:
            await self.held_up.wait()
        return client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WatchedStore]:
    """An empty store."""
    with contextlib.closing(WatchedStore(open_database(tmp_path / "store"))) as opened:
        yield opened


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def clients(store: WatchedStore, clock: SettableClock) -> RememberedClients:
    return RememberedClients(store, clock, freshness=FRESHNESS, outage=OUTAGE)


async def test_a_client_is_not_read_twice_while_it_is_fresh(
    clients: RememberedClients, store: WatchedStore, clock: SettableClock
) -> None:
    await store.add_client(CLIENT)
    for _ in range(5):
        assert await clients.client("client_a") == CLIENT
    assert store.readings == 1
    await store.update_client(RENAMED)  # another process
    clock.time += FRESHNESS - 0.1
    assert await clients.client("client_a") == CLIENT
    clock.time += 0.1
    assert await clients.client("client_a") == RENAMED
    assert await clients.clients() == [RENAMED]


async def test_that_a_client_is_unknown_is_never_remembered(clients: RememberedClients, store: WatchedStore) -> None:
    """Whoever registers at one process and goes on at the next must be known there."""
    assert await clients.client("client_a") is None
    await store.add_client(CLIENT)
    assert await clients.client("client_a") == CLIENT


async def test_a_change_through_this_process_counts_at_once(clients: RememberedClients) -> None:
    await clients.add_client(CLIENT)
    assert await clients.client("client_a") == CLIENT
    await clients.update_client(RENAMED)
    assert await clients.client("client_a") == RENAMED
    await clients.rotate_client_secret("client_a", ClientSecret("d2", NOW), NOW)
    client = await clients.client("client_a")
    assert client is not None
    assert [secret.digest for secret in client.secrets] == ["d1", "d2"]
    await clients.delete_client("client_a", NOW)
    assert await clients.client("client_a") is None


async def test_what_was_read_while_it_changed_is_not_remembered(
    clients: RememberedClients, store: WatchedStore
) -> None:
    await store.add_client(CLIENT)
    store.held_up = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(clients.client, "client_a")
        while store.readings == 0:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        await clients.update_client(RENAMED)
        store.held_up.set()
    assert await clients.client("client_a") == RENAMED


async def test_a_store_that_is_away_is_asked_once_a_second(
    clients: RememberedClients, store: WatchedStore, clock: SettableClock
) -> None:
    """So that not every request waits until the store has not answered."""
    await store.add_client(CLIENT)
    await clients.client("client_a")
    clock.time += FRESHNESS
    store.away = True
    for _ in range(5):
        assert await clients.client("client_a") == CLIENT
    assert store.readings == 2
    with pytest.raises(StoreUnavailable):
        await clients.client("never read")
    clock.time += RETRY_SECONDS
    assert await clients.client("client_a") == CLIENT
    assert store.readings == 4
    clock.time += OUTAGE - FRESHNESS - RETRY_SECONDS
    with pytest.raises(StoreUnavailable):
        await clients.client("client_a")


async def test_a_store_that_is_back_is_believed(
    clients: RememberedClients, store: WatchedStore, clock: SettableClock
) -> None:
    await store.add_client(CLIENT)
    await clients.client("client_a")
    clock.time += FRESHNESS
    store.away = True
    await clients.client("client_a")
    store.away = False
    await store.delete_client("client_a", NOW)
    clock.time += RETRY_SECONDS
    assert await clients.client("client_a") is None
    store.away = True
    with pytest.raises(StoreUnavailable):
        await clients.client("client_a")
