"""docs/storage-dynamodb.md against what is really in a table, and what is left there once everything has ended."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.client import DYNAMIC_LIFETIME, ClientSecret
from auth_server.domain.grant import GRANT_LIFETIME, REPLAY_WINDOW, REVOKED_GRANT_MEMORY
from auth_server.domain.signing_key import KeyStage, SealedKey
from auth_server.domain.user import Session
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.grants import Gone, Rotated
from auth_server.ports.records import Record
from auth_server.ports.store import Store
from auth_server.ports.workspaces import Joining
from auth_server.protocol.registration import MAX_REDIRECT_URIS
from tests.auth_server.stores.backends import BACKENDS, prefix
from tests.auth_server.stores.full_store import everything, fill
from tests.auth_server.stores.test_contract import (
    CLIENT,
    CODE,
    FIRST,
    GRANT,
    NOW,
    PUBLIC,
    TRANSACTION,
    USER,
    key,
    rotation,
)
from tests.support.dynamodb_emulators import store_url
from tests.support.emulator import Emulator
from tests.support.processes import REPOSITORY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DOCUMENT = REPOSITORY / "docs" / "storage-dynamodb.md"
ROW = re.compile(
    r"^\| `([a-z-]+)(?:#ID)?` \| `([a-z-]+)(?:#[A-Z#]+)?` \| .* \| ([a-z_N` ]+) \| [^|]* \|$", re.MULTILINE
)
PERMANENT = {
    ("store", "store"),
    ("signing-keys", "signing-keys"),
    ("workspace", "workspace"),
    ("client", "client"),
    ("user", "user"),
    ("email", "email"),
    ("audit-head", "audit-head"),
    ("audit", "batch"),
    ("audit-of", "batch"),
}
DAY = 86400
ITEM_LIMIT = 400 * 1024


def sealed_key(name: str, stage: KeyStage) -> SealedKey:
    return SealedKey(name, stage, "{}", b"sealed", NOW, NOW)


Items = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
async def store(dynoxide: Emulator, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store on DynamoDB."""
    async with BACKENDS["dynamodb-dynoxide"](tmp_path / "store") as opened:
        yield opened


class _Table:
    """A table, past the store."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    async def items(self) -> Items:
        """Everything in the table, as the API has it, by key."""
        found: Items = {}
        request = {"TableName": self._name, "ConsistentRead": True}
        while True:
            answer = await self._client.scan(**request)
            found |= {(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Items"]}
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def change(self, pk: str, sk: str, expression: str, new: str) -> None:
        await self._client.update_item(
            TableName=self._name,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            UpdateExpression=expression,
            ExpressionAttributeValues={":new": {"S": new}},
        )

    async def delete(self, pk: str, sk: str) -> None:
        """Deletes an item behind the store's back."""
        await self._client.delete_item(TableName=self._name, Key={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.fixture
async def table(dynoxide: Emulator, tmp_path: Path) -> AsyncIterator[_Table]:
    """The table of that store."""
    address = address_in(store_url(dynoxide.endpoint_url, prefix(tmp_path / "store")))
    async with connected(address, 60.0) as client:
        yield _Table(client, address.table)


def _kind(pk: str, sk: str) -> tuple[str, str]:
    return pk.partition("#")[0], sk.partition("#")[0]


async def _fill(store: Store) -> None:
    """Everything that `fill` makes, and what deletion leaves behind."""
    await fill(store)
    await store.add_user(replace(USER, user_id="usr_gone", email="gone@example.com"))
    await store.delete_user("usr_gone", NOW)
    await store.check()


async def test_every_item_and_attribute_is_documented_and_every_documented_one_is_written(
    store: Store, table: _Table
) -> None:
    text = DOCUMENT.read_text("utf-8")
    documented = {(pk, sk): set(re.findall(r"`(\w+)`", names)) for pk, sk, names in ROW.findall(text)}
    await _fill(store)
    written: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (pk, sk), item in (await table.items()).items():
        written[_kind(pk, sk)] |= {re.sub(r"^at_\d+$", "at_N", name) for name in item.keys() - {"pk", "sk"}}
    assert dict(written) == documented


async def test_dynamodb_keeps_everything_for_longer_than_it_counts(store: Store, table: _Table) -> None:
    """Its clock is another: it deletes nothing that a verb, or the sweeper, would still need."""
    await _fill(store)
    for (pk, sk), item in (await table.items()).items():
        assert ("ttl" in item) == (_kind(pk, sk) not in PERMANENT), pk
        if "ttl" in item:
            times = [float(item[name]["N"]) for name in ("expires_at", "ends_at") if name in item]
            assert float(item["ttl"]["N"]) >= max([NOW, *times]) + DAY - 1, pk


async def test_sweeping_leaves_nothing_that_has_ended(store: Store, table: _Table) -> None:
    await _fill(store)
    await store.sweep(NOW + GRANT_LIFETIME + DYNAMIC_LIFETIME)
    left = {(pk, sk) for pk, sk in await table.items() if _kind(pk, sk) not in PERMANENT}
    assert left == set()
    assert await store.user("usr_gone") is None


async def _family(store: Store, client_id: str = CLIENT.client_id) -> None:
    await store.add_client(CLIENT)
    await store.add_client(PUBLIC)
    await store.add_user(USER)
    await store.start_transaction(TRANSACTION)
    assert await store.approve("txn", replace(GRANT, client_id=client_id), CODE, NOW)
    assert await store.redeem("code", FIRST, NOW) == Redeemed()


@pytest.mark.parametrize("owner", ["client", "dynamic client", "user"])
async def test_the_grants_of_whoever_is_deleted_are_swept_like_revoked_ones(
    store: Store, table: _Table, owner: str
) -> None:
    """They end with the deletion itself; they are in nobody's way for weeks."""
    await _family(store, PUBLIC.client_id if owner == "dynamic client" else CLIENT.client_id)
    if owner == "user":
        await store.delete_user(USER.user_id, NOW)
    else:
        await store.delete_client(PUBLIC.client_id if owner == "dynamic client" else CLIENT.client_id, NOW)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()
    assert list(await store.grants(NOW)) == []
    await store.sweep(NOW + 1)
    assert ("grant#g", "grant") in await table.items()
    await store.sweep(NOW + REVOKED_GRANT_MEMORY)
    left = await table.items()
    assert not [pk for pk, _ in left if pk.startswith(("grant#", "handle#", "code#"))]
    assert not [sk for _, sk in left if sk.startswith("grant#")]
    assert ("client#dcr_b", "client") in left  # itself, or the mark that keeps it out
    assert (("user#usr_a", "user") in left) == (owner != "user")
    assert (("client#client_a", "client") in left) == (owner != "client")


async def test_answers_and_secrets_are_erased_when_they_are_over(store: Store, table: _Table) -> None:
    await _family(store)
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    await store.rotate_client_secret("client_a", ClientSecret("d2", NOW), NOW + 100)
    assert await store.sweep(NOW + 99) == 0
    assert await store.sweep(NOW + 100) == 1
    client = await store.client("client_a")
    assert client is not None
    assert [secret.digest for secret in client.secrets] == ["d2"]
    assert "sealed" in (await table.items())["grant#g", "grant"]
    assert await store.sweep(NOW + REPLAY_WINDOW) == 1
    assert "sealed" not in (await table.items())["grant#g", "grant"]


async def test_the_table_does_not_grow_with_what_has_ended(store: Store, table: _Table) -> None:
    """Daily sign-ins, each with a session and an attempt."""
    await store.add_user(USER)
    sizes = []
    for day in range(20):
        now = NOW + day * DAY
        session = Session(f"s{day}", USER.user_id, now, now + 1000)
        assert await store.start_session(session, verified_hash=USER.password_hash, replaces=None)
        await store.count_attempt("k", 5, 60.0, now)
        await store.sweep(now)
        sizes.append(len(await table.items()))
    assert sizes[-1] == sizes[2]


async def test_names_of_any_length_and_kind_find_their_item(store: Store, table: _Table) -> None:
    """A key has 1,024 bytes at most, and ours have parts separated by #."""
    odd = ["", "a#b", "~", "ü", "x" * 5000, "\ud800", " ", "client#client_a", 'q"\\\x00']
    for name in odd:
        assert await store.client(name) is None
        assert await store.user_by_email(name) is None
        assert await store.code(name) is None
        assert not await store.revoke_grant_by_handle(name, None, NOW)
        assert not await store.has_grant(name, name, NOW)
        assert await store.grant_by_handle(name, NOW) is None
        assert await store.rotate(replace(key("rt1"), grant_id=name), rotation("rt2"), NOW) == Gone()
    for name in ("a#b", "ü", "x" * 5000):
        await store.add_client(replace(PUBLIC, client_id=name))
        client = await store.client(name)
        assert client is not None
        assert client.client_id == name
    assert all(re.fullmatch(r"client#~[0-9a-f]{64}|store", pk) for pk, _ in await table.items())


async def test_lost_keys_are_not_replaced(store: Store, table: _Table) -> None:
    active, following = sealed_key("a", KeyStage.ACTIVE), sealed_key("b", KeyStage.NEXT)
    assert len(await store.ensure_signing_keys(active, following)) == 2
    await table.delete("signing-keys", "signing-keys")
    assert list(await store.signing_keys(NOW)) == []
    assert list(await store.ensure_signing_keys(active, following)) == []


async def test_the_largest_client_and_window_fit_into_an_item(store: Store, table: _Table) -> None:
    uris = tuple(f"https://app.example/{n}/{'x' * 2000}" for n in range(MAX_REDIRECT_URIS))
    await store.add_client(replace(PUBLIC, name="n" * 10_000, redirect_uris=uris))
    for n in range(200):
        assert await store.count_attempt("k", 200, 60.0, NOW + n / 10) is None
    assert await store.count_attempt("k", 200, 60.0, NOW + 30) == NOW + 60
    assert all(len(str(item)) < ITEM_LIMIT / 2 for item in (await table.items()).values())


async def test_what_is_read_while_others_write_can_be_restored_anywhere(store: Store, tmp_path: Path) -> None:
    """Passes over the table come one after another; whatever refers to something comes with it."""
    await fill(store)
    records, numbers = list[Record](), iter(range(1_000))
    kinds = set[type]()
    async for record in store.records():
        records.append(record)
        if type(record) not in kinds:
            kinds.add(type(record))
            name = f"late{next(numbers)}"
            await store.add_user(replace(USER, user_id=name, email=f"{name}@example.com"))
            session = Session(name, name, NOW, NOW + 1000)
            assert await store.start_session(session, verified_hash=USER.password_hash, replaces=None)
            await store.start_transaction(replace(TRANSACTION, digest=name))
            grant = replace(GRANT, grant_id=name, handle=name, user_id=name)
            assert await store.approve(name, grant, replace(CODE, digest=name, grant_id=name), NOW)
    assert len(kinds) == len(get_args(Record))
    with closing(SqliteStore.open(tmp_path / "copy")) as copy:
        await copy.restore(records)
        assert set(await everything(copy)) == {*records}


async def test_the_items_of_a_release_without_workspaces_go_on_until_the_membership_ends(
    store: Store, table: _Table
) -> None:
    """A person had a tenant, and a grant knew nothing of memberships."""
    await _family(store)
    await table.change("user#usr_a", "user", "SET tenant = :new REMOVE memberships, revision", "default")
    await table.change("grant#g", "grant", "SET tenant = :new REMOVE membership_generation", "default")
    assert await store.user("usr_a") == USER
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    assert await store.end_membership("usr_a", "default", NOW)
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()
    assert await store.set_membership("usr_a", USER.memberships[0], NOW) is Joining.JOINED
    assert await store.user("usr_a") == USER
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()
