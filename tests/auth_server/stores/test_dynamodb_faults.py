"""DynamoDB out of reach or capacity, too slow, or talking nonsense; requests that collide, answers that are lost."""

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.dynamodb_store.schema import create_table
from auth_server.adapters.dynamodb_store.store import DynamoDbStore
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.domain.client import NEVER_USED_LIFETIME, ClientSecret
from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.domain.revocation import Revoked
from auth_server.domain.signing_key import PUBLICATION_LEAD, KeyStage, SealedKey
from auth_server.domain.user import Session
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.clients import Addition
from auth_server.ports.grants import Gone, Replay, Reused, Rotated
from auth_server.ports.store import Store, StoreUnavailable
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.stores.backends import prefix
from tests.auth_server.stores.full_store import PUSHED
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
from tests.support.dynamodb_faults import (
    CONFLICT,
    CUT,
    ITEM_CONFLICT,
    LOST,
    STALLED,
    THROTTLED,
    Fault,
    FaultyDynamoDb,
    Request,
    faulty,
    refusal,
)
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATIENCE, IMPATIENCE = 60.0, 0.3
SESSION = Session("session", USER.user_id, NOW, NOW + 1000)
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


def sealed_key(name: str, stage: KeyStage, promotable_at: float = NOW) -> SealedKey:
    return SealedKey(name, stage, "{}", b"sealed", NOW, promotable_at)


ACTIVE, NEXT = sealed_key("a", KeyStage.ACTIVE), sealed_key("b", KeyStage.NEXT)
LATER = sealed_key("c", KeyStage.NEXT, NOW + PUBLICATION_LEAD)


@asynccontextmanager
async def opened(dynamodb: FaultyDynamoDb, table: str, patience: float = PATIENCE) -> AsyncIterator[Store]:
    """The store in a table behind the proxy."""
    address = address_in(store_url(dynamodb.endpoint_url, table))
    async with connected(address, patience) as client:
        yield DynamoDbStore(Table(client, address.table, SystemEntropy(), patience))


@pytest.fixture
async def dynamodb(dynoxide: Emulator) -> AsyncIterator[FaultyDynamoDb]:
    """A DynamoDB that fails on demand."""
    async with faulty(dynoxide.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def table(dynamodb: FaultyDynamoDb, tmp_path: Path) -> str:
    """A table of ours in it."""
    name = prefix(tmp_path)
    async with connected(address_in(store_url(dynamodb.endpoint_url, name)), PATIENCE) as client:
        await create_table(client, name)
    return name


@pytest.fixture
async def store(dynamodb: FaultyDynamoDb, table: str) -> AsyncIterator[Store]:
    """A store that holds a client, a user with a session, a grant with a used code, and keys."""
    async with opened(dynamodb, table) as store:
        await store.ensure_signing_keys(ACTIVE, NEXT)
        await store.add_client(CLIENT)
        await store.add_user(USER)
        assert await store.start_session(SESSION, verified_hash=USER.password_hash, replaces=None)
        await store.push(PUSHED)
        await store.start_transaction(TRANSACTION)
        assert await store.approve("txn", GRANT, CODE, NOW)
        assert await store.redeem("code", FIRST, NOW) == Redeemed()
        for name in ("txn2", "txn3"):
            await store.start_transaction(replace(TRANSACTION, digest=name))
        second = replace(GRANT, grant_id="g2", handle="h2")
        assert await store.approve("txn2", second, replace(CODE, digest="code2", grant_id="g2"), NOW)
        yield store


def _fresh(grant_id: str) -> Any:
    return replace(FIRST, key=replace(key("other"), grant_id=grant_id))


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


Verb = Callable[[Store], Awaitable[Any]]

ONCE: dict[str, tuple[Verb, Any]] = {
    "add_client": (lambda store: store.add_client(PUBLIC), Addition.ADDED),
    "update_client": (lambda store: store.update_client(replace(CLIENT, name="Other")), True),
    "rotate_client_secret": (
        lambda store: store.rotate_client_secret("client_a", ClientSecret("d2", NOW + 1), NOW + 9),
        True,
    ),
    "delete_client": (lambda store: store.delete_client("client_a", NOW), True),
    "add_user": (lambda store: store.add_user(replace(USER, user_id="usr_b", email="b@example.com")), True),
    "disable_user": (lambda store: store.disable_user("usr_a", NOW), True),
    "enable_user": (lambda store: store.enable_user("usr_a"), True),
    "delete_user": (lambda store: store.delete_user("usr_a", NOW), True),
    "set_password_hash": (lambda store: store.set_password_hash("usr_a", "another"), True),
    "renew_password_hash": (lambda store: store.renew_password_hash("usr_a", USER.password_hash, "renewed"), None),
    "start_session": (
        lambda store: store.start_session(
            replace(SESSION, digest="s2"), verified_hash=USER.password_hash, replaces="session"
        ),
        True,
    ),
    "push": (lambda store: store.push(replace(PUSHED, digest="another")), None),
    "start_pushed": (lambda store: store.start_pushed("pushed", replace(TRANSACTION, digest="txn5"), NOW), True),
    "start_transaction": (lambda store: store.start_transaction(replace(TRANSACTION, digest="txn4")), None),
    "approve": (
        lambda store: store.approve(
            "txn3", replace(GRANT, grant_id="g3", handle="h3"), replace(CODE, digest="code3", grant_id="g3"), NOW
        ),
        True,
    ),
    "deny": (lambda store: store.deny("txn3", NOW), True),
    "redeem": (lambda store: store.redeem("code2", _fresh("g2"), NOW), Redeemed()),
    "redeem without a refresh token": (lambda store: store.redeem("code2", None, NOW), Redeemed()),
    "redeem again": (lambda store: store.redeem("code", FIRST, NOW), Reused()),
    "rotate": (lambda store: store.rotate(key("rt1"), rotation("rt2"), NOW), Rotated()),
    "revoke_grant": (lambda store: store.revoke_grant("g", NOW), None),
    "revoke_grant_by_handle": (lambda store: store.revoke_grant_by_handle("h", None, NOW), True),
    "promote_next_key": (lambda store: store.promote_next_key(LATER, NOW), None),
    "withdraw_key": (lambda store: store.withdraw_key("a", LATER, NOW), True),
    "use_once": (lambda store: store.use_once("jti", NOW + 10, NOW), True),
    "forget_attempts": (lambda store: store.forget_attempts("k"), None),
    "check": (lambda store: store.check(), None),
}
"""Verbs that write, and what each gives in the store of the fixture."""
OTHERS: dict[str, Verb] = {
    "client": lambda store: store.client("client_a"),
    "clients": lambda store: store.clients(),
    "user": lambda store: store.user("usr_a"),
    "user_by_email": lambda store: store.user_by_email(USER.email),
    "users": lambda store: store.users(),
    "session": lambda store: store.session("session", NOW),
    "sessions": lambda store: store.sessions(NOW),
    "end_session": lambda store: store.end_session("session"),
    "pushed_request": lambda store: store.pushed_request("pushed", NOW),
    "transaction": lambda store: store.transaction("txn3", NOW),
    "code": lambda store: store.code("code"),
    "count_wrong_verifier": lambda store: store.count_wrong_verifier("code2"),
    "refreshed_grant": lambda store: store.refreshed_grant(key("rt1", "a family not yet seen")),
    "grants": lambda store: store.grants(NOW),
    "grants of a person": lambda store: store.grants(NOW, "usr_a"),
    "has_grant": lambda store: store.has_grant("usr_a", "client_a", NOW),
    "live_refresh_token": lambda store: store.live_refresh_token(key("rt1"), NOW),
    "revoked_at": lambda store: store.revoked_at(Revoked.GRANT, "h", NOW),
    "grant_by_handle": lambda store: store.grant_by_handle("h", NOW),
    "ensure_signing_keys": lambda store: store.ensure_signing_keys(ACTIVE, NEXT),
    "signing_keys": lambda store: store.signing_keys(NOW),
    "count_attempt": lambda store: store.count_attempt("k", 3, 60.0, NOW),
    "sweep": lambda store: store.sweep(NOW),
}
VERBS: dict[str, Verb] = {**{name: verb for name, (verb, _) in ONCE.items()}, **OTHERS}

NONSENSE = {
    "of a web server": Fault(b"<html>It works!</html>", 200, checksum=""),
    "empty": Fault(b"{}", 200, checksum=""),
    "damaged": Fault(b"{}", 200, checksum="1"),
    "refused": refusal("ValidationException"),
    "denied": refusal("AccessDeniedException"),
    "gone": refusal("ResourceNotFoundException"),
    "broken": refusal("InternalServerError"),
    "throttled": THROTTLED,
    "cut": CUT,
}


@pytest.mark.parametrize("verb", ONCE)
async def test_a_write_whose_answer_is_lost_is_not_done_twice(
    store: Store, dynamodb: FaultyDynamoDb, verb: str
) -> None:
    """The SDK sends it again; the verb recognises what it finds as its own doing."""
    act, expected = ONCE[verb]
    before = len(dynamodb.requests)
    dynamodb.fail(LOST, *WRITES, times=1)
    assert await act(store) == expected
    written = [request for request in dynamodb.requests[before:] if request.operation in WRITES]
    assert len(written) >= 2, "nothing was lost"


async def test_a_transaction_is_sent_again_under_the_same_token(store: Store, dynamodb: FaultyDynamoDb) -> None:
    dynamodb.fail(LOST, "TransactWriteItems", times=1)
    before = len(dynamodb.requests)
    await ONCE["approve"][0](store)
    sent = [request for request in dynamodb.requests[before:] if request.operation == "TransactWriteItems"]
    tokens = [request.parameters["ClientRequestToken"] for request in sent]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


async def test_what_a_redemption_gave_stays_when_its_answer_was_lost(store: Store, dynamodb: FaultyDynamoDb) -> None:
    dynamodb.fail(LOST, "UpdateItem", times=1)
    assert await store.redeem("code2", _fresh("g2"), NOW) == Redeemed()
    assert [grant.grant_id for grant in await store.grants(NOW)] == ["g", "g2"]
    assert await store.redeem("code2", None, NOW) == Reused()  # another call, as ever


async def test_a_rotation_without_an_answer_is_replayed_to_whoever_asks_again(
    store: Store, dynamodb: FaultyDynamoDb
) -> None:
    """StoreUnavailable leaves open what has happened; the next attempt gets the tokens all the same."""
    dynamodb.fail(LOST, "UpdateItem")
    with pytest.raises(StoreUnavailable):
        await store.rotate(key("rt1"), rotation("rt2"), NOW)
    dynamodb.recover()
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW + 1) == Replay(b"sealed for rt2")


@pytest.mark.parametrize("fault", NONSENSE)
async def test_no_verb_lets_a_fault_of_dynamodb_out(store: Store, dynamodb: FaultyDynamoDb, fault: str) -> None:
    dynamodb.fail(NONSENSE[fault])
    with capture_logs() as logs:
        await _all_unavailable(store, VERBS)
    assert [line["event"] for line in logs] == ["store_away"]
    told = str(logs)
    for secret in ("rt1", "code2", "session", "sealed for", "d2", USER.password_hash, USER.email):
        assert secret not in told
    dynamodb.recover()
    with capture_logs() as logs:
        await store.check()
        await store.check()
    assert [line["event"] for line in logs] == ["store_back"]


async def test_nobody_waits_for_an_answer_that_does_not_come(
    dynamodb: FaultyDynamoDb, table: str, store: Store
) -> None:
    async with opened(dynamodb, table, IMPATIENCE) as hasty:
        dynamodb.fail(STALLED)
        with anyio.fail_after(100):
            await _all_unavailable(hasty, VERBS.keys() - {"clients", "users", "sessions", "grants", "sweep"})
        dynamodb.recover()


async def _all_unavailable(store: Store, verbs: Iterable[str]) -> None:
    """Checks that, called at once, none of the verbs can do anything."""

    async def call(verb: Verb) -> None:
        with pytest.raises(StoreUnavailable):
            await verb(store)

    async with anyio.create_task_group() as group:
        for name in verbs:
            group.start_soon(call, VERBS[name])


@pytest.mark.parametrize(("fault", "operation"), [(CONFLICT, "TransactWriteItems"), (ITEM_CONFLICT, "UpdateItem")])
async def test_a_collision_with_a_transaction_is_tried_again(
    store: Store, dynamodb: FaultyDynamoDb, fault: Fault, operation: str
) -> None:
    dynamodb.fail(fault, operation, times=3)
    verb, expected = ONCE["approve" if operation == "TransactWriteItems" else "rotate"]
    assert await verb(store) == expected


@pytest.mark.parametrize(("fault", "operation"), [(CONFLICT, "TransactWriteItems"), (ITEM_CONFLICT, "UpdateItem")])
async def test_collisions_without_end_are_an_outage(
    store: Store, dynamodb: FaultyDynamoDb, fault: Fault, operation: str
) -> None:
    dynamodb.fail(fault, operation)
    verb, expected = ONCE["approve" if operation == "TransactWriteItems" else "rotate"]
    with pytest.raises(StoreUnavailable):
        await verb(store)
    dynamodb.recover()
    assert await verb(store) == expected


async def test_of_40_approvals_that_collide_one_counts(store: Store, dynamodb: FaultyDynamoDb) -> None:
    """AWS refuses transactions on the same item while one is at work; here each of the 40 meets that three times."""
    numbers, collisions = iter(range(40)), Counter[bytes]()

    def collide(request: Request) -> Fault | None:
        found = re.search(rb"code#race[0-9]+", request.body)
        if request.operation != "TransactWriteItems" or found is None:
            return None
        collisions[found[0]] += 1
        return CONFLICT if collisions[found[0]] <= 3 else None

    dynamodb.rule = collide
    outcomes: list[bool] = []

    async def approve() -> None:
        name = f"race{next(numbers)}"
        code = replace(CODE, digest=name, grant_id=name)
        outcomes.append(await store.approve("txn3", replace(GRANT, grant_id=name, handle=name), code, NOW))

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(approve)
    assert sorted(outcomes) == [False] * 39 + [True]
    assert collisions == dict.fromkeys(collisions, 4)


async def test_only_lists_and_counts_ask_the_index(store: Store, dynamodb: FaultyDynamoDb) -> None:
    """It lags on AWS, and every read from it is eventually consistent; all others are not."""
    askers = set[str]()
    for name, verb in {**OTHERS, **{name: verb for name, (verb, _) in ONCE.items()}}.items():
        dynamodb.requests.clear()
        await verb(store)
        for request in dynamodb.requests:
            asked = request.parameters
            if "IndexName" in asked:
                askers.add(name)
            elif request.operation in {"GetItem", "Query", "Scan"}:
                assert asked["ConsistentRead"], name
            elif request.operation == "BatchGetItem":
                assert all(keys["ConsistentRead"] for keys in asked["RequestItems"].values()), name
    assert askers == {"clients", "users", "sessions", "grants", "sweep", "add_client"}


async def test_an_address_that_nobody_has_takes_as_many_requests(store: Store, dynamodb: FaultyDynamoDb) -> None:
    """Nobody learns from the time a sign-in takes whether there is such an account."""
    numbers = []
    for email in (USER.email, "nobody@example.com"):
        dynamodb.requests.clear()
        await store.user_by_email(email)
        numbers.append([request.operation for request in dynamodb.requests])
    assert numbers[0] == numbers[1]


async def test_keys_left_unread_for_want_of_capacity_are_asked_for_again(
    store: Store, dynamodb: FaultyDynamoDb
) -> None:
    left = iter(range(3))

    def rule(request: Request) -> Fault | None:
        if request.operation != "BatchGetItem" or next(left, None) is None:
            return None
        unread = {name: {"Keys": keys["Keys"]} for name, keys in request.parameters["RequestItems"].items()}
        answer = {"Responses": {}, "UnprocessedKeys": unread}
        return Fault(_json(answer), 200)

    dynamodb.rule = rule
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_keys_that_stay_unread_are_an_outage(store: Store, dynamodb: FaultyDynamoDb) -> None:
    def rule(request: Request) -> Fault | None:
        if request.operation != "BatchGetItem":
            return None
        return Fault(_json({"Responses": {}, "UnprocessedKeys": request.parameters["RequestItems"]}), 200)

    dynamodb.rule = rule
    with pytest.raises(StoreUnavailable):
        await store.rotate(key("rt1"), rotation("rt2"), NOW)


async def test_a_person_disabled_while_a_refresh_is_under_way_gets_at_most_that_one(
    store: Store, dynamodb: FaultyDynamoDb
) -> None:
    """The refresh has read that the person is there; whatever begins after disable_user() has returned gets nothing."""
    held = _hold(dynamodb, lambda request: base64.b64encode(b"sealed for rt2") in request.body)
    rotations: list[object] = []

    async def rotate() -> None:
        rotations.append(await store.rotate(key("rt1"), rotation("rt2"), NOW))

    async with anyio.create_task_group() as group:
        group.start_soon(rotate)
        await held.reached.wait()
        assert await store.disable_user("usr_a", NOW)
        assert await store.redeem("code2", None, NOW) == Gone()
        held.go_on.set()
    assert rotations == [Rotated()]
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()


async def test_a_client_that_comes_back_while_it_is_swept_away_stays(store: Store, dynamodb: FaultyDynamoDb) -> None:
    await store.add_client(PUBLIC)
    later = NOW + NEVER_USED_LIFETIME
    held = _hold(dynamodb, lambda request: request.operation == "DeleteItem" and b"client#dcr_b" in request.body)
    async with anyio.create_task_group() as group:
        group.start_soon(store.sweep, later)
        await held.reached.wait()
        assert await store.add_client(replace(PUBLIC, created_at=later)) is Addition.KNOWN
        held.go_on.set()
    assert await store.client(PUBLIC.client_id) == PUBLIC


async def test_a_client_that_is_used_while_it_is_swept_away_stays(store: Store, dynamodb: FaultyDynamoDb) -> None:
    await store.add_client(PUBLIC)
    held = _hold(dynamodb, lambda request: request.operation == "DeleteItem" and b"client#dcr_b" in request.body)
    async with anyio.create_task_group() as group:
        group.start_soon(store.sweep, NOW + NEVER_USED_LIFETIME)
        await held.reached.wait()
        await store.start_transaction(replace(TRANSACTION, digest="txn4"))
        grant = replace(GRANT, grant_id="g3", handle="h3", client_id=PUBLIC.client_id)
        assert await store.approve("txn4", grant, replace(CODE, digest="code3", grant_id="g3"), NOW)
        held.go_on.set()
    assert await store.redeem("code3", None, NOW) == Redeemed()


async def test_an_answer_that_came_while_the_one_before_was_erased_stays(
    store: Store, dynamodb: FaultyDynamoDb
) -> None:
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    later = NOW + REPLAY_WINDOW
    held = _hold(dynamodb, lambda request: request.operation == "UpdateItem" and b"grant#g" in request.body)
    async with anyio.create_task_group() as group:
        group.start_soon(store.sweep, later)
        await held.reached.wait()
        dynamodb.recover()
        assert await store.rotate(key("rt2"), rotation("rt3"), later) == Rotated()
        held.go_on.set()
    assert await store.rotate(key("rt2"), rotation("rt4"), later) == Replay(b"sealed for rt3")


@dataclass(frozen=True, slots=True)
class _Held:
    """A request that has been `reached`, and waits until it may `go_on`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


def _hold(dynamodb: FaultyDynamoDb, which: Callable[[Request], bool]) -> _Held:
    """Holds up every such request from now on."""
    held = _Held()

    def rule(request: Request) -> Fault | None:
        if not which(request):
            return None
        held.reached.set()
        return Fault(held=held.go_on)

    dynamodb.rule = rule
    return held
