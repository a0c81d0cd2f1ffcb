"""docs/storage-redis.md against what is really in a Redis, and what is left there once everything has ended."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from auth_server.domain.client import DYNAMIC_LIFETIME
from auth_server.domain.grant import GRANT_LIFETIME, REVOKED_GRANT_MEMORY
from auth_server.domain.user import Session
from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS, prefix
from tests.auth_server.stores.full_store import fill
from tests.auth_server.stores.test_contract import NOW, USER
from tests.support.processes import REPOSITORY
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DOCUMENT = REPOSITORY / "docs" / "storage-redis.md"
ROW = re.compile(r"^\| `\{auth\}:([a-z-]+)(:ID)?` \| (\w+) \| .* \| (.*) \|$", re.MULTILINE)
DAY = 86400
PERMANENT = {
    "store",
    "workspace",
    "workspaces",
    "client",
    "clients",
    "clients-deleted",
    "user",
    "users",
    "emails",
    "key",
    "keys",
    "audit",
    "audit-of",
}
"""What a store keeps once every grant, session and attempt has ended: clients of the operator's, people,
keys, and the audit trail."""


class _Keys:
    """The keys of one store, under their names without the store's tag."""

    def __init__(self, client: "redis.Redis", tag: str) -> None:
        self._client, self._tag = client, tag

    def kinds(self) -> dict[str, str]:
        """The kind of each key."""
        found = self._client.scan_iter(match=f"{self._tag}*", count=1000)
        names = (str(name).removeprefix(self._tag) for name in found)
        return {name: name.partition(":")[0] for name in names}

    def seconds(self, name: str) -> int:
        """How long Redis keeps a key, -1 if for good."""
        return int(self._client.ttl(self._tag + name))

    def type(self, name: str) -> str:
        return str(self._client.type(self._tag + name))

    def time(self, name: str, field: str) -> float | None:
        value = self._client.hget(self._tag + name, field)
        return None if value is None else float(value)

    def let_expire(self) -> None:
        """Has Redis forget every key that it will forget one day."""
        for name in self.kinds():
            if self.seconds(name) > 0:
                self._client.expire(self._tag + name, 0)


@pytest.fixture
async def store(redis_node: RedisServer, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store on Redis."""
    async with BACKENDS["redis"](tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def keys(redis_node: RedisServer, tmp_path: Path) -> Iterator[_Keys]:
    """The keys of that store."""
    tag = f"{{{prefix(tmp_path / 'store')}}}:"
    with redis.Redis(port=redis_node.port, decode_responses=True, encoding_errors="replace", protocol=2) as client:
        yield _Keys(client, tag)


async def test_every_key_is_documented_and_every_documented_key_is_written(store: Store, keys: _Keys) -> None:
    rows = {kind: (bool(ident), form, ends) for kind, ident, form, ends in ROW.findall(DOCUMENT.read_text("utf-8"))}
    await fill(store)
    kinds = keys.kinds()
    assert set(kinds.values()) == set(rows)
    for name, kind in kinds.items():
        has_id, form, ends = rows[kind]
        assert (":" in name) == has_id, name
        assert keys.type(name) == form, name
        if kind != "key":
            assert (keys.seconds(name) > 0) == (ends == "expires"), name
    assert {keys.seconds(name) > 0 for name, kind in kinds.items() if kind == "key"} == {True, False}


async def test_sweeping_leaves_nothing_that_has_ended(store: Store, keys: _Keys) -> None:
    await fill(store)
    await store.sweep(NOW + GRANT_LIFETIME + DYNAMIC_LIFETIME)
    left = {name for name, kind in keys.kinds().items() if kind not in PERMANENT}
    assert left == {"attempts:limit", "used:jti"}
    assert all(keys.seconds(name) > 0 for name in left)


async def test_nothing_is_left_where_redis_forgets_before_anybody_sweeps(store: Store, keys: _Keys) -> None:
    await fill(store)
    keys.let_expire()
    assert set(keys.kinds().values()) <= PERMANENT | {"reviews", "clients-never-used"}
    assert list(await store.grants(NOW)) == []
    assert list(await store.sessions(NOW)) == []
    await store.sweep(NOW + GRANT_LIFETIME + DYNAMIC_LIFETIME)
    assert set(keys.kinds().values()) <= PERMANENT


async def test_memory_does_not_grow_with_what_has_ended(store: Store, keys: _Keys) -> None:
    """Daily sign-ins, each with a session and an attempt."""
    await store.add_user(USER)
    sizes = []
    for day in range(100):
        now = NOW + day * DAY
        session = Session(f"s{day}", USER.user_id, now, now + 1000)
        assert await store.start_session(session, verified_hash=USER.password_hash, replaces=None)
        await store.count_attempt("k", 5, 60.0, now)
        await store.sweep(now)
        sizes.append(len(keys.kinds()) if day in {2, 99} else 0)
    assert sizes[99] == sizes[2]


async def test_redis_keeps_everything_for_longer_than_it_counts(store: Store, keys: _Keys) -> None:
    """Redis's clock is another: it deletes nothing that a verb would still find alive."""
    await fill(store)
    for name, kind in keys.kinds().items():
        if kind in {"session", "pushed", "transaction", "grant", "code"}:
            is_revoked = keys.time(name, "revoked_at") is not None
            expires_at = NOW + REVOKED_GRANT_MEMORY if is_revoked else keys.time(name, "expires_at")
            assert keys.seconds(name) > (expires_at or 0) - NOW, name
