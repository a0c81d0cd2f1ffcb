"""Redis with a replica, and in a cluster: what a fail-over to a replica that lags brings back, and what prevents it.

docs/storage-redis.md promises operators what is shown here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from auth_server.adapters.redis_store.address import parse
from auth_server.adapters.redis_store.opening import open_database
from auth_server.adapters.redis_store.store import RedisStore, open_redis
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.grants import Gone, Replay, Reused, Rotated
from auth_server.ports.store import StoreUnavailable
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.stores.test_contract import (
    CLIENT,
    CODE,
    FIRST,
    GRANT,
    NOW,
    USER,
    approvable,
    family,
    key,
    rotation,
)
from tests.support.processes import free_port
from tests.support.redis_server import RedisServer, redis_node_serving, redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SHORT, LONG = 0.4, 20.0
"""Patience of a store, in seconds: where a replica confirms nothing, and where it does, however slow the disk is."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its replica."""

    primary: RedisServer
    replica: RedisServer

    def replicate(self) -> None:
        """Attaches the replica; returns once it has everything."""
        self.replica.command("REPLICAOF", "127.0.0.1", str(self.primary.port))
        self.replica.wait_until("master_link_status:up", "INFO", "replication")
        self.replica.server.wait_until(lambda: self._offset(self.primary) == self._offset(self.replica))

    def _offset(self, server: RedisServer) -> str:
        """How much of the history it has."""
        return server.command("INFO", "replication").partition("\nmaster_repl_offset:")[2].split("\r\n")[0]

    def detach(self) -> None:
        """From now on the replica lags behind."""
        self.replica.command("REPLICAOF", "127.0.0.1", str(free_port()))
        self.primary.wait_until("connected_slaves:0", "INFO", "replication")

    @asynccontextmanager
    async def failed_over(self) -> AsyncIterator[RedisStore]:
        """The store once the primary has crashed and its replica was promoted."""
        self.primary.server.kill()
        self.replica.command("REPLICAOF", "NO", "ONE")
        async with open_redis(self.replica.url) as store:
            yield store


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both attached and empty."""
    with redis_serving(tmp_path / "primary") as primary, redis_serving(tmp_path / "replica") as replica:
        started = Pair(primary, replica)
        started.replicate()
        yield started


@pytest.fixture
async def store(pair: Pair) -> AsyncIterator[RedisStore]:
    """The store on the primary, whose verbs wait for no replica."""
    async with open_redis(pair.primary.url) as opened:
        yield opened


@asynccontextmanager
async def _waiting(pair: Pair, patience: float) -> AsyncIterator[RedisStore]:
    """The same store; its verbs wait for one replica, as long as `patience` says."""
    address = parse(f"{pair.primary.url}?wait_replicas=1")
    async with open_database(address, SystemEntropy(), patience=patience) as database:
        yield RedisStore(database, SystemClock())


async def test_c15_a_used_code_that_comes_back_gives_one_family(pair: Pair, store: RedisStore) -> None:
    """Only who has the verifier redeems it again; the refresh token of the forgotten redemption is worth nothing."""
    await approvable(store)
    await store.approve("txn", GRANT, CODE, NOW)
    pair.replicate()
    pair.detach()
    assert await store.redeem("code", FIRST, NOW) == Redeemed()
    async with pair.failed_over() as after:
        again = replace(FIRST, key=key("rt1-again", "another family"))
        assert await after.redeem("code", again, NOW) == Redeemed()
        assert await after.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()
        assert await after.redeem("code", FIRST, NOW) == Reused()


async def test_e16_a_rotated_token_that_comes_back_is_caught_by_its_successor(pair: Pair, store: RedisStore) -> None:
    """A thief's rotation of the old token ends with the next refresh of the client, and the client signs in again."""
    await family(store)
    pair.replicate()
    pair.detach()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    async with pair.failed_over() as after:
        assert await after.rotate(key("rt1"), rotation("thief"), NOW) == Rotated()
        assert await after.rotate(key("rt2"), rotation("rt3"), NOW) == Reused()
        assert await after.rotate(key("thief"), rotation("thief2"), NOW) == Gone()


async def test_a_forgotten_successor_ends_the_grant(pair: Pair, store: RedisStore) -> None:
    """Nothing tells it from a token that was rotated long ago: the client signs in again."""
    await family(store)
    pair.replicate()
    pair.detach()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    async with pair.failed_over() as after:
        assert await after.rotate(key("rt2"), rotation("rt3"), NOW) == Reused()
        assert await after.rotate(key("rt1"), rotation("rt3"), NOW) == Gone()


async def test_a_forgotten_revocation_is_not_caught(pair: Pair, store: RedisStore) -> None:
    """This is what waiting for replicas is for."""
    await family(store)
    pair.replicate()
    pair.detach()
    await store.revoke_grant("g", NOW)
    await store.disable_user(USER.user_id, NOW)
    async with pair.failed_over() as after:
        assert await after.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_what_replicas_have_not_confirmed_is_not_acknowledged(pair: Pair, store: RedisStore) -> None:
    await family(store)
    pair.detach()
    async with _waiting(pair, SHORT) as waiting:
        with pytest.raises(StoreUnavailable):
            await waiting.revoke_grant_by_handle("h", None, NOW)
        for verb in (waiting.disable_user(USER.user_id, NOW), waiting.delete_client("client_a", NOW)):
            with pytest.raises(StoreUnavailable):
                await verb


async def test_a_rotation_that_was_not_confirmed_is_retried_with_the_same_outcome(
    pair: Pair, store: RedisStore
) -> None:
    await family(store)
    pair.detach()
    async with _waiting(pair, SHORT) as waiting:
        with pytest.raises(StoreUnavailable):
            await waiting.rotate(key("rt1"), rotation("rt2"), NOW)
    pair.replicate()
    async with _waiting(pair, LONG) as waiting:
        assert await waiting.rotate(key("rt1"), rotation("rt9"), NOW) == Replay(b"sealed for rt2")
        assert await waiting.rotate(key("rt2"), rotation("rt3"), NOW) == Rotated()


async def test_what_replicas_have_confirmed_outlives_the_primary(pair: Pair, store: RedisStore) -> None:
    await approvable(store)
    async with _waiting(pair, LONG) as waiting:
        assert await store.approve("txn", GRANT, CODE, NOW)
        assert await waiting.redeem("code", FIRST, NOW) == Redeemed()
        assert await waiting.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
        assert await waiting.use_once("jti", NOW + 100, NOW)
    async with pair.failed_over() as after:
        assert not await after.use_once("jti", NOW + 100, NOW)
        assert await after.rotate(key("rt1"), rotation("rt9"), NOW) == Replay(b"sealed for rt2")
        assert await after.redeem("code", FIRST, NOW) == Reused()


async def test_a_primary_that_demands_replicas_uses_no_code_without_them(pair: Pair, store: RedisStore) -> None:
    """`min-replicas-to-write` refuses before anything changes, so that the code is good again with the replica."""
    await approvable(store)
    await store.approve("txn", GRANT, CODE, NOW)
    pair.primary.command("CONFIG", "SET", "min-replicas-to-write", "1")
    pair.detach()
    async with _waiting(pair, LONG) as waiting:
        with pytest.raises(StoreUnavailable):
            await waiting.redeem("code", FIRST, NOW)
        pair.replicate()
        assert await waiting.redeem("code", FIRST, NOW) == Redeemed()


async def test_a_primary_that_became_a_replica_takes_no_writes(pair: Pair, store: RedisStore) -> None:
    await family(store)
    pair.primary.command("REPLICAOF", "127.0.0.1", str(pair.replica.port))
    with pytest.raises(StoreUnavailable):
        await store.rotate(key("rt1"), rotation("rt2"), NOW)
    with pytest.raises(StoreUnavailable):
        await store.check()


async def test_a_name_that_leads_to_the_new_primary_is_followed(pair: Pair) -> None:
    """Without a restart: no connection to the old one is used again."""
    upstream = [pair.primary.port]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream[0])
        try:
            while request := await reader.read(65536):
                up_writer.write(request)
                writer.write(await up_reader.read(65536))
        finally:
            writer.close()
            up_writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listener, open_redis(f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as store:
        await family(store)
        pair.replicate()
        pair.replica.command("REPLICAOF", "NO", "ONE")
        pair.primary.command("REPLICAOF", "127.0.0.1", str(pair.replica.port))
        upstream[0] = pair.replica.port
        assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_any_node_of_a_cluster_leads_to_the_store(tmp_path: Path) -> None:
    with redis_node_serving(tmp_path / "a", 0, 8191) as first, redis_node_serving(tmp_path / "b", 8192) as second:
        bus = second.command("CONFIG", "GET", "cluster-port").split("\r\n")[4]
        first.command("CLUSTER", "MEET", "127.0.0.1", str(second.port), bus)
        for node in (first, second):
            node.wait_until("cluster_state:ok", "CLUSTER", "INFO")
        async with open_redis(first.url) as one, open_redis(second.url) as other:
            await family(one)
            assert await other.client("client_a") == CLIENT
            assert await other.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
            assert await one.rotate(key("rt2"), rotation("rt3"), NOW) == Rotated()
        sizes = {node.command("DBSIZE") for node in (first, second)}
        assert ":0\r\n" in sizes
