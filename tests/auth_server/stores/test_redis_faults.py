"""Redis frozen, killed, full or emptied: 503, nothing lost, and back without a restart."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server.adapters.redis_store.address import parse
from auth_server.adapters.redis_store.connections import CONNECTIONS
from auth_server.adapters.redis_store.opening import open_database
from auth_server.adapters.redis_store.store import RedisStore, open_redis
from auth_server.domain.grant import REVOKED_GRANT_MEMORY, RefreshToken
from auth_server.ports.grants import Gone, Replay, Reused, Rotated
from auth_server.ports.records import StoredGrant
from auth_server.ports.store import StoreUnavailable
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.stores.test_contract import (
    CLIENT,
    FIRST,
    GRANT,
    NOW,
    PUBLIC,
    USER,
    family,
    key,
    rotation,
)
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECONDS = 60.0
SHORT = 0.2
"""Patience of a store in a test where Redis does not answer."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with redis_serving(tmp_path / "redis") as started:
        yield started


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    """A store on it."""
    async with open_redis(server.url) as opened:
        yield opened


@asynccontextmanager
async def _impatient(server: RedisServer) -> AsyncIterator[RedisStore]:
    async with open_database(parse(server.url), SystemEntropy(), patience=SHORT) as database:
        yield RedisStore(database, SystemClock())


async def _until(verb: Callable[[], Awaitable[Any]]) -> Any:
    """What the verb gives once the store is back."""
    with anyio.fail_after(SECONDS):
        while True:
            try:
                return await verb()
            except StoreUnavailable:
                await anyio.lowlevel.checkpoint()


async def test_a_frozen_redis_holds_nobody_up_for_long_and_is_back_by_itself(server: RedisServer) -> None:
    async with _impatient(server) as store:
        await family(store)
        server.server.process.send_signal(signal.SIGSTOP)
        try:
            with capture_logs() as logs:
                for verb in (lambda: store.client("client_a"), lambda: store.add_user(USER), store.check):
                    with pytest.raises(StoreUnavailable):
                        await verb()
            assert [line["event"] for line in logs] == ["store_away"]
        finally:
            server.server.process.send_signal(signal.SIGCONT)
        with capture_logs() as logs:
            assert await _until(lambda: store.client("client_a")) == CLIENT
        assert "store_back" in [line["event"] for line in logs]
        assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_a_probe_that_was_impatient_keeps_nobody_from_trying(server: RedisServer, store: RedisStore) -> None:
    """Redis may only be slow: a probe that gave up does not have others fail at once."""
    await store.add_client(CLIENT)
    server.server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable):
            await store.check()
        waiting = [asyncio.ensure_future(store.client("client_a")) for _ in range(5)]
        await anyio.lowlevel.checkpoint()
    finally:
        server.server.process.send_signal(signal.SIGCONT)
    assert await asyncio.gather(*waiting) == [CLIENT] * 5


async def test_while_a_frozen_redis_is_probed_others_fail_at_once(server: RedisServer) -> None:
    """One caller waits; a thousand more do not queue up behind it."""
    async with open_redis(server.url) as store:
        store._database._is_away = True
        server.server.process.send_signal(signal.SIGSTOP)
        probe = asyncio.ensure_future(store.client("client_a"))
        try:
            await anyio.lowlevel.checkpoint()
            for _ in range(1000):
                with pytest.raises(StoreUnavailable):
                    await store.client("client_a")
            assert not probe.done()
        finally:
            server.server.process.send_signal(signal.SIGCONT)
        await asyncio.gather(probe, return_exceptions=True)


async def test_a_killed_redis_comes_back_with_everything(server: RedisServer, store: RedisStore) -> None:
    await family(store)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    server.server.kill()
    with pytest.raises(StoreUnavailable):
        await store.rotate(key("rt2"), rotation("rt3"), NOW)
    server.restart()
    assert await store.rotate(key("rt1"), rotation("rt9"), NOW) == Replay(b"sealed for rt2")
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Rotated()
    assert await store.redeem("code", None, NOW) == Reused()


async def test_a_restart_between_two_calls_is_not_felt(server: RedisServer, store: RedisStore) -> None:
    """The connections of the pool are dead, the scripts forgotten."""
    await asyncio.gather(*(store.client("client_a") for _ in range(10)))
    server.server.stop()
    server.restart()
    assert await asyncio.gather(*(store.client("client_a") for _ in range(10))) == [None] * 10
    assert await store.use_once("jti", NOW + 9, NOW)


async def test_forgotten_scripts_are_sent_again(server: RedisServer, store: RedisStore) -> None:
    server.command("SCRIPT", "FLUSH")
    await family(store)


async def test_a_full_redis_changes_nothing(server: RedisServer, store: RedisStore) -> None:
    await family(store)
    server.command("CONFIG", "SET", "maxmemory", "1")
    with capture_logs() as logs:
        for write in (store.rotate(key("rt1"), rotation("rt2"), NOW), store.add_client(PUBLIC), store.check()):
            with pytest.raises(StoreUnavailable):
                await write
    assert [line["event"] for line in logs] == ["store_fault"] * 3
    assert "maxmemory" in logs[0]["cause"]
    assert await store.client("client_a") == CLIENT
    server.command("CONFIG", "SET", "maxmemory", "0")
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    assert await store.client(PUBLIC.client_id) is None


async def test_an_emptied_redis_is_no_store_without_clients(server: RedisServer, store: RedisStore) -> None:
    """Or every client would be told that it is unknown, and would throw its registration away."""
    await family(store)
    server.command("FLUSHALL")
    with capture_logs() as logs:
        for verb in (store.client("client_a"), store.add_user(USER), store.signing_keys(NOW), store.check()):
            with pytest.raises(StoreUnavailable):
                await verb
    assert {(line["event"], line["cause"][:4]) for line in logs} == {("store_fault", "LOST")}
    assert server.command("DBSIZE") == ":0\r\n"


async def test_a_connection_takes_no_reply_of_a_cancelled_call(store: RedisStore) -> None:
    await family(store)
    for _ in range(50):
        with anyio.move_on_after(0.0005):
            await asyncio.gather(*(store.user(USER.user_id) for _ in range(5)))
        assert await store.client("client_a") == CLIENT
    assert await store.user(USER.user_id) == USER


async def test_connections_are_bounded(server: RedisServer, store: RedisStore) -> None:
    await store.add_client(CLIENT)
    found = await asyncio.gather(*(store.client("client_a") for _ in range(20 * CONNECTIONS)))
    assert found == [CLIENT] * 20 * CONNECTIONS
    clients = server.command("CLIENT", "LIST").count("id=")
    assert clients == CONNECTIONS + 1  # and the one that asks


async def _many_grants(store: RedisStore, count: int) -> None:
    """Grants of one client, which the operator has entered, each with a fresh refresh token."""
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.restore(
        [
            StoredGrant(
                replace(GRANT, grant_id=f"g{n}", handle=f"h{n}"),
                RefreshToken(replace(FIRST.key, grant_id=f"g{n}"), NOW + 1000),
                None,
                None,
            )
            for n in range(count)
        ]
    )


async def test_a_client_with_very_many_grants_is_deleted_with_all_of_them(store: RedisStore) -> None:
    """No script ends all of them at once: Redis would answer nobody meanwhile."""
    await _many_grants(store, 1300)
    assert await store.delete_client("client_a", NOW)
    assert list(await store.grants(NOW)) == []
    assert await store.sweep(NOW + REVOKED_GRANT_MEMORY) == 1300


async def test_a_deletion_that_was_cut_short_is_finished_by_the_sweeper(store: RedisStore) -> None:
    """With the client's own record its grants give nothing any more."""
    await _many_grants(store, 1300)
    await store._database.run("delete_client", "client_a", NOW, "")
    assert len(await store.grants(NOW)) == 1300
    for n in (0, 700, 1299):
        assert await store.rotate(replace(FIRST.key, grant_id=f"g{n}"), rotation("rt2"), NOW) == Gone()
    await store.sweep(NOW)
    assert list(await store.grants(NOW)) == []
