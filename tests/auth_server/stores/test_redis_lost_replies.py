"""The connection to Redis cut between a verb and its reply."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth_server.adapters.redis_store.store import RedisStore, open_redis
from auth_server.domain.client import ClientSecret
from auth_server.domain.signing_key import KeyStage, SealedKey
from auth_server.domain.user import Session
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.clients import Addition
from auth_server.ports.devices import Pending
from auth_server.ports.grants import Gone, Replay, Reused
from auth_server.ports.store import Store, StoreUnavailable
from tests.auth_server.stores.full_store import MANAGED, PUSHED, TOKEN, device, fill
from tests.auth_server.stores.test_contract import (
    CLIENT,
    CODE,
    FIRST,
    GRANT,
    NOW,
    TRANSACTION,
    USER,
    approvable,
    family,
    key,
    rotation,
)
from tests.auth_server.stores.test_devices_contract import DEVICE
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Cut:
    """A proxy before a Redis that cuts the connection in place of a reply to a script, as often as it is told to."""

    def __init__(self, server: RedisServer) -> None:
        self._server, self.replies_to_lose = server, 0

    @asynccontextmanager
    async def proxying(self) -> AsyncIterator[str]:
        """Gives the URL of the proxy."""
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with listener:
            yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            while request := await reader.read(65536):
                up_writer.write(request)
                reply = await up_reader.read(65536)
                if b"NOSCRIPT" not in reply and self.replies_to_lose:
                    self.replies_to_lose -= 1
                    break
                writer.write(reply)
        finally:
            writer.close()
            up_writer.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with redis_serving(tmp_path / "redis") as started:
        yield started


@pytest.fixture
async def cut(server: RedisServer) -> Cut:
    return Cut(server)


@pytest.fixture
async def cut_store(cut: Cut) -> AsyncIterator[RedisStore]:
    """A store behind the proxy."""
    async with cut.proxying() as url, open_redis(url) as opened:
        yield opened


Verb = Callable[[Store], Awaitable[Any]]
SECRET = ClientSecret("d2", NOW + 1)
SESSION = Session("s1", USER.user_id, NOW, NOW + 1000)


def _signing_key(name: str, stage: KeyStage) -> SealedKey:
    return SealedKey(name, stage, "{}", b"sealed", NOW, NOW)


STEPS: list[tuple[Verb, object]] = [
    (lambda store: store.add_client(CLIENT), Addition.ADDED),
    (lambda store: store.rotate_client_secret("client_a", SECRET, NOW + 9), True),
    (lambda store: store.add_user(USER), True),
    (lambda store: store.start_session(SESSION, verified_hash=USER.password_hash, replaces=None), True),
    (lambda store: store.add_initial_token(TOKEN), None),
    (lambda store: store.add_client(MANAGED, TOKEN.token_id), Addition.ADDED),
    (lambda store: store.revoke_initial_token(TOKEN.token_id), True),
    (lambda store: store.push(PUSHED), None),
    (lambda store: store.start_pushed("pushed", replace(TRANSACTION, digest="of a pushed request"), NOW), True),
    (lambda store: store.start_transaction(TRANSACTION), None),
    (lambda store: store.start_transaction(replace(TRANSACTION, digest="denied")), None),
    (lambda store: store.deny("denied", NOW), True),
    (lambda store: store.approve("txn", GRANT, CODE, NOW), True),
    (lambda store: store.redeem("code", FIRST, NOW), Redeemed()),
    (lambda store: store.rotate(key("rt1"), rotation("rt2"), NOW), Replay(b"sealed for rt2")),
    (lambda store: store.revoke_grant_by_handle("h", "client_a", NOW), True),
    (lambda store: store.start_device(DEVICE), True),
    (lambda store: store.start_device(device("denied")), True),
    (lambda store: store.poll_device("denied", "dc-denied", "client_a", NOW), Pending()),
    (lambda store: store.deny_device("denied", NOW), True),
    (lambda store: store.approve_device(DEVICE, replace(GRANT, grant_id="g2", handle="h2"), NOW), True),
    (lambda store: store.add_grant(replace(GRANT, grant_id="g3", handle="h3"), NOW), True),
    (lambda store: store.promote_next_key(_signing_key("c", KeyStage.NEXT), NOW), None),
    (lambda store: store.withdraw_key("b", _signing_key("d", KeyStage.NEXT), NOW), True),
    (lambda store: store.set_password_hash(USER.user_id, "new"), True),
    (lambda store: store.delete_client("client_a", NOW), True),
    (lambda store: store.disable_user(USER.user_id, NOW), True),
    (lambda store: store.enable_user(USER.user_id), True),
    (lambda store: store.delete_user(USER.user_id, NOW), True),
]
"""What a store goes through, one verb upon another, and what each gives."""


@pytest.mark.parametrize("number", range(len(STEPS)))
async def test_a_lost_reply_is_asked_for_again(cut: Cut, cut_store: RedisStore, number: int) -> None:
    """The verb has happened once, and its caller learns that it did."""
    await cut_store.ensure_signing_keys(_signing_key("a", KeyStage.ACTIVE), _signing_key("b", KeyStage.NEXT))
    for earlier, _ in STEPS[:number]:
        await earlier(cut_store)
    verb, outcome = STEPS[number]
    cut.replies_to_lose = 1
    assert await verb(cut_store) == outcome
    assert cut.replies_to_lose == 0


async def test_a_lost_reply_says_nothing_of_a_code_without_refresh_token(cut: Cut, cut_store: RedisStore) -> None:
    """Nothing would tell the repetition from a thief's redemption: the caller is told 503, and the code is used."""
    await approvable(cut_store)
    await cut_store.approve("txn", GRANT, CODE, NOW)
    cut.replies_to_lose = 1
    with pytest.raises(StoreUnavailable):
        await cut_store.redeem("code", None, NOW)
    assert await cut_store.redeem("code", None, NOW) == Reused()


async def test_a_repetition_is_not_taken_for_anothers_redemption(cut: Cut, cut_store: RedisStore) -> None:
    await family(cut_store)
    cut.replies_to_lose = 1
    other = replace(FIRST, key=key("rt9", "other"))
    assert await cut_store.redeem("code", other, NOW) == Reused()
    assert await cut_store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()


async def test_replies_that_are_lost_again_give_up(cut: Cut, cut_store: RedisStore) -> None:
    await fill(cut_store)
    cut.replies_to_lose = 2
    with pytest.raises(StoreUnavailable):
        await cut_store.revoke_grant("fresh", NOW)
    await cut_store.revoke_grant("fresh", NOW)
