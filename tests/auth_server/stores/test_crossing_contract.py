"""What every store promises about verbs that cross: one of two orders it was, and nothing slips through."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from auth_server.domain.client import ClientSecret
from auth_server.domain.grant import Grant, RefreshToken, RefreshTokenKey
from auth_server.domain.signing_key import KeyStage, SealedKey
from auth_server.domain.user import Session, User
from auth_server.ports.authorizations import Decided, Redeemed
from auth_server.ports.clients import Addition
from auth_server.ports.grants import Gone, Rotation
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import (
    CLIENT,
    CODE,
    GRANT,
    NOW,
    PUBLIC,
    TRANSACTION,
    USER,
    approvable,
    at_once,
)

pytestmark = pytest.mark.anyio

Verb = Callable[[], Awaitable[Any]]
ROUNDS = 8


async def _crossing(*verbs: Verb) -> list[Any]:
    """The results of these calls under way at the same time, in the order of the verbs."""
    results: list[Any] = [None] * len(verbs)

    async def call(number: int, verb: Verb) -> None:
        results[number] = await verb()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for number, verb in enumerate(verbs):
                group.start_soon(call, number, verb)
    return results


class Round:
    """A person, their client, and what belongs to them, under ids of their own."""

    def __init__(self, store: Store, number: int) -> None:
        self.store, self.number = store, number
        self.user: User = replace(USER, user_id=f"usr_{number}", email=f"{number}@example.com")
        self.client = replace(CLIENT, client_id=f"client_{number}")
        self.grant: Grant = replace(
            GRANT,
            grant_id=f"g{number}",
            handle=f"h{number}",
            user_id=self.user.user_id,
            client_id=self.client.client_id,
        )
        self.code = replace(CODE, digest=f"code{number}", grant_id=self.grant.grant_id)
        self.session = Session(f"s{number}", self.user.user_id, NOW, NOW + 1000)

    def token(self, generation: int) -> RefreshToken:
        return RefreshToken(RefreshTokenKey(self.grant.grant_id, "family", f"rt{generation}"), NOW + 1000)

    async def begin(self) -> None:
        await self.store.add_client(self.client)
        await self.store.add_user(self.user)
        await self.store.start_transaction(replace(TRANSACTION, digest=f"txn{self.number}"))

    async def begin_code(self) -> None:
        await self.begin()
        assert await self.approve()

    async def begin_family(self) -> None:
        await self.begin_code()
        await self.redeem()

    async def approve(self) -> bool:
        return await self.store.approve(f"txn{self.number}", self.grant, self.code, NOW)

    async def redeem(self) -> object:
        return await self.store.redeem(self.code.digest, self.token(1), NOW)

    async def rotate(self, generation: int = 1) -> object:
        rotation = Rotation(self.token(generation + 1), b"sealed", "query")
        return await self.store.rotate(self.token(generation).key, rotation, NOW)

    async def sign_in(self) -> bool:
        return await self.store.start_session(self.session, verified_hash=self.user.password_hash, replaces=None)

    async def delete_client(self) -> bool:
        return await self.store.delete_client(self.client.client_id, NOW)

    async def delete_user(self) -> bool:
        return await self.store.delete_user(self.user.user_id, NOW)

    async def disable_user(self) -> bool:
        return await self.store.disable_user(self.user.user_id, NOW)

    async def revoke(self) -> None:
        await self.store.revoke_grant(self.grant.grant_id, NOW)

    async def change_password(self) -> bool:
        return await self.store.set_password_hash(self.user.user_id, "new")

    async def assert_nothing_works(self) -> None:
        """No code, no refresh token of any generation, no replay."""
        assert await self.redeem() != Redeemed()
        for generation in (1, 2, 3):
            assert await self.rotate(generation) == Gone()


ENDS: dict[str, Callable[[Round], Awaitable[Any]]] = {
    "delete_client": Round.delete_client,
    "delete_user": Round.delete_user,
    "disable_user": Round.disable_user,
    "revoke": Round.revoke,
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("end_first", [False, True])
async def test_whatever_crosses_an_end_gives_nothing_afterwards(store: Store, end: str, end_first: bool) -> None:
    """Consent, redemption and rotation, each while the client or the person goes or the grant is revoked."""
    for number, begin in enumerate((Round.begin, Round.begin_code, Round.begin_family) * ROUNDS):
        one = Round(store, number)
        await begin(one)
        step = {Round.begin: one.approve, Round.begin_code: one.redeem, Round.begin_family: one.rotate}[begin]
        if end == "revoke" and begin is Round.begin:
            continue  # what is not there cannot be revoked
        verbs: list[Verb] = [step, partial(ENDS[end], one)]
        await _crossing(*(reversed(verbs) if end_first else verbs))
        await one.assert_nothing_works()
        assert one.grant not in await store.grants(NOW) or end == "disable_user"


@pytest.mark.parametrize("end", [Round.change_password, Round.disable_user, Round.delete_user])
@pytest.mark.parametrize("end_first", [False, True])
async def test_no_sign_in_outlives_what_crosses_it(
    store: Store, end: Callable[[Round], Awaitable[Any]], end_first: bool
) -> None:
    for number in range(ROUNDS):
        one = Round(store, number)
        await one.begin()
        verbs: list[Verb] = [one.sign_in, partial(end, one)]
        await _crossing(*(reversed(verbs) if end_first else verbs))
        assert await store.session(one.session.digest, NOW) is None
    assert list(await store.sessions(NOW)) == []


async def test_a_transaction_is_approved_or_denied(store: Store) -> None:
    for number in range(ROUNDS):
        one = Round(store, number)
        await one.begin()
        approved, denied = await _crossing(one.approve, partial(store.deny, f"txn{number}", NOW))
        assert approved != denied
        decided = await store.transaction(f"txn{number}", NOW)
        assert isinstance(decided, Decided)
        assert decided.grant_id == (one.grant.grant_id if approved else None)
        assert (await store.code(one.code.digest) is not None) == approved


async def test_of_40_registrations_of_a_client_one_adds_it(store: Store) -> None:
    outcomes = await at_once(lambda: store.add_client(PUBLIC))
    assert sorted(outcome.name for outcome in outcomes) == ["ADDED"] + ["KNOWN"] * 39
    assert list(await store.clients()) == [PUBLIC]


async def test_a_registration_that_crosses_its_deletion_stays_out(store: Store) -> None:
    for number in range(ROUNDS):
        client = replace(PUBLIC, client_id=f"dcr_{number}")
        await store.add_client(client)
        outcome, deleted = await _crossing(
            partial(store.add_client, client),
            partial(store.delete_client, client.client_id, NOW),
        )
        assert deleted
        assert outcome in {Addition.KNOWN, Addition.DELETED}
        assert await store.client(client.client_id) is None
        assert await store.add_client(client) is Addition.DELETED


async def test_of_40_people_with_one_address_one_is_added(store: Store) -> None:
    numbers = iter(range(40))
    added = await at_once(lambda: store.add_user(replace(USER, user_id=f"usr_{next(numbers)}")))
    assert sorted(added) == [False] * 39 + [True]
    assert len(await store.users()) == 1


async def test_of_40_revocations_one_counts(store: Store) -> None:
    await approvable(store)
    await store.approve("txn", GRANT, CODE, NOW)
    outcomes = await at_once(lambda: store.revoke_grant_by_handle("h", None, NOW))
    assert sorted(outcomes) == [False] * 39 + [True]


async def test_of_40_deletions_one_deletes(store: Store) -> None:
    await store.add_client(PUBLIC)
    await store.add_user(USER)
    assert sorted(await at_once(lambda: store.delete_client(PUBLIC.client_id, NOW))) == [False] * 39 + [True]
    assert sorted(await at_once(lambda: store.delete_user(USER.user_id, NOW))) == [False] * 39 + [True]


async def test_of_40_new_secrets_at_most_two_are_left(store: Store) -> None:
    await store.add_client(CLIENT)
    numbers = iter(range(40))
    assert all(
        await at_once(
            lambda: store.rotate_client_secret(
                CLIENT.client_id, ClientSecret(f"new{next(numbers)}", NOW + 1), NOW + 100
            )
        )
    )
    client = await store.client(CLIENT.client_id)
    assert client is not None
    assert [secret.expires_at for secret in client.secrets] == [NOW + 100, None]


async def test_of_two_new_secrets_at_once_both_count(store: Store) -> None:
    for number in range(ROUNDS):
        client_id = f"client_{number}"
        await store.add_client(replace(CLIENT, client_id=client_id))
        new = [ClientSecret(name, NOW + 1) for name in ("one", "other")]
        await _crossing(*(partial(store.rotate_client_secret, client_id, secret, NOW + 100) for secret in new))
        client = await store.client(client_id)
        assert client is not None
        assert {secret.digest for secret in client.secrets} == {"one", "other"}


def _key(name: str, stage: KeyStage) -> SealedKey:
    return SealedKey(name, stage, "{}", b"sealed", NOW, NOW)


async def test_keys_that_are_promoted_and_withdrawn_leave_one_active_and_one_next(store: Store) -> None:
    await store.ensure_signing_keys(_key("a0", KeyStage.ACTIVE), _key("n0", KeyStage.NEXT))
    for number in range(1, 2 * ROUNDS):
        keys = {key.stage: key.key_id for key in await store.signing_keys(NOW)}
        withdrawn = keys[KeyStage.ACTIVE if number % 2 else KeyStage.NEXT]
        await _crossing(
            partial(store.promote_next_key, _key(f"p{number}", KeyStage.NEXT), NOW),
            partial(store.withdraw_key, withdrawn, _key(f"w{number}", KeyStage.NEXT), NOW),
        )
        found = await store.signing_keys(NOW)
        stages = [key.stage for key in found]
        assert (stages.count(KeyStage.ACTIVE), stages.count(KeyStage.NEXT)) == (1, 1)
        assert withdrawn not in {key.key_id for key in found}
