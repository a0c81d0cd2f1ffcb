"""What every store promises about consents: who has ended one is asked again, whatever was under way."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from auth_server.domain.consent import ConsentKey
from auth_server.domain.grant import Grant
from auth_server.domain.workspace import Membership, Role, Workspace
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import CLIENT, CODE, CONSENT, GRANT, NOW, PUBLIC, TRANSACTION, USER, at_once

pytestmark = pytest.mark.anyio

KEY = CONSENT.key


async def _begun(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.add_user(USER)


async def _approve(store: Store, name: str, grant: Grant = GRANT, **consent: object) -> bool:
    """Whether a new transaction can be approved."""
    await store.start_transaction(replace(TRANSACTION, digest=f"txn-{name}"))
    grant = replace(grant, grant_id=name, handle=f"handle-{name}")
    code = replace(CODE, digest=f"code-{name}", grant_id=name)
    return await store.approve(f"txn-{name}", grant, code, NOW, **consent)  # type: ignore[arg-type]


async def _remembered(store: Store) -> None:
    await _begun(store)
    assert await _approve(store, "first", remember=CONSENT)


async def test_consents_come_back_as_they_went_in(store: Store) -> None:
    await _begun(store)
    assert await store.consent(KEY, NOW) is None
    assert await _approve(store, "one", remember=CONSENT)
    assert await store.consent(KEY, NOW) == CONSENT
    later = replace(CONSENT, key=replace(KEY, redirect_origin="https://other.example"), given_at=NOW + 1)
    assert await _approve(store, "two", remember=later)
    assert list(await store.consents(USER.user_id, NOW)) == [CONSENT, later]
    assert list(await store.consents("usr_b", NOW)) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, user_id="usr_b"),
        replace(KEY, client_id="dcr_b"),
        replace(KEY, redirect_origin="https://app.example:8443"),
        replace(KEY, resource="https://r/other"),
        replace(KEY, workspace="acme"),
    ],
    ids=["B07 person", "B07 client", "B07 redirect origin", "B07 resource", "B07 workspace"],
)
async def test_a_consent_is_about_one_thing(store: Store, other: ConsentKey) -> None:
    await _remembered(store)
    await store.add_client(PUBLIC)
    await store.add_user(replace(USER, user_id="usr_b", email="bob@example.com"))
    assert await store.consent(other, NOW) is None


async def test_a_consent_expires_and_is_swept(store: Store) -> None:
    await _remembered(store)
    assert await store.consent(KEY, CONSENT.expires_at - 1) == CONSENT
    assert await store.consent(KEY, CONSENT.expires_at) is None
    assert list(await store.consents(USER.user_id, CONSENT.expires_at)) == []
    await store.sweep(CONSENT.expires_at)
    assert await store.consent(KEY, NOW) is None


async def test_a_later_consent_replaces_an_earlier_one(store: Store) -> None:
    await _remembered(store)
    wider = replace(CONSENT, scopes=frozenset({"query"}), document="e" * 64, given_at=NOW + 1, expires_at=NOW + 6000)
    assert await _approve(store, "second", remember=wider)
    assert list(await store.consents(USER.user_id, NOW)) == [wider]
    assert not await _approve(store, "third", rest_on=CONSENT)
    assert await _approve(store, "fourth", rest_on=wider)
    await store.sweep(CONSENT.expires_at)
    assert await store.consent(KEY, CONSENT.expires_at) == wider


async def test_an_approval_rests_on_a_consent(store: Store) -> None:
    await _begun(store)
    assert not await _approve(store, "one", rest_on=CONSENT)
    assert await _approve(store, "two", remember=CONSENT)
    assert await _approve(store, "three", rest_on=CONSENT)
    assert not await _approve(store, "four", rest_on=replace(CONSENT, expires_at=NOW))
    assert await store.transaction("txn-four", NOW) == replace(TRANSACTION, digest="txn-four")
    assert await store.consent(KEY, NOW) == CONSENT


async def test_what_is_not_approved_is_not_remembered(store: Store) -> None:
    await _begun(store)
    assert not await _approve(store, "one", replace(GRANT, role=Role.OWNER), remember=CONSENT)
    assert await store.consent(KEY, NOW) is None


async def _end(store: Store) -> None:
    assert await store.end_consents(CLIENT.client_id, USER.user_id)


async def _end_for_all(store: Store) -> None:
    assert await store.end_consents(CLIENT.client_id)


async def _delete_user(store: Store) -> None:
    await store.delete_user(USER.user_id, NOW)


async def _delete_client(store: Store) -> None:
    await store.delete_client(CLIENT.client_id, NOW)


async def _leave(store: Store) -> None:
    await store.end_membership(USER.user_id, "default", NOW)


async def _change_role(store: Store) -> None:
    await store.set_membership(USER.user_id, Membership("default", Role.ADMIN), NOW)


async def _leave_and_come_back(store: Store) -> None:
    await _leave(store)
    await store.set_membership(USER.user_id, USER.memberships[0], NOW)


End = Callable[[Store], Awaitable[None]]
ENDS = pytest.mark.parametrize(
    "end", [_end, _end_for_all, _delete_user, _delete_client, _leave, _change_role, _leave_and_come_back]
)


@ENDS
async def test_a_consent_ends(store: Store, end: End) -> None:
    await _remembered(store)
    await end(store)
    assert await store.consent(KEY, NOW) is None
    assert list(await store.consents(USER.user_id, NOW)) == []
    assert not await _approve(store, "second", rest_on=CONSENT)
    await store.sweep(NOW)
    assert await store.consent(KEY, NOW) is None


@pytest.mark.parametrize("end", [_end, _end_for_all, _leave])
async def test_others_stay(store: Store, end: End) -> None:
    await store.add_workspace(Workspace("acme", "Acme", NOW))
    await _remembered(store)
    await store.add_client(replace(CLIENT, client_id="client_b"))
    await store.set_membership(USER.user_id, Membership("acme", Role.MEMBER), NOW)
    other = replace(CONSENT, key=replace(KEY, client_id="client_b", workspace="acme"))
    assert await _approve(store, "two", replace(GRANT, client_id="client_b", tenant="acme"), remember=other)
    await end(store)
    assert list(await store.consents(USER.user_id, NOW)) == [other]
    assert not await store.end_consents(CLIENT.client_id, "usr_unknown")


async def test_the_consents_of_everybody_to_a_client_end(store: Store) -> None:
    await _remembered(store)
    bob = replace(USER, user_id="usr_b", email="bob@example.com")
    await store.add_user(bob)
    theirs = replace(CONSENT, key=replace(KEY, user_id="usr_b"))
    assert await _approve(store, "two", replace(GRANT, user_id="usr_b"), remember=theirs)
    assert await store.end_consents(CLIENT.client_id)
    assert list(await store.consents("usr_b", NOW)) == list(await store.consents(USER.user_id, NOW)) == []


async def test_of_40_approvals_that_rest_on_one_consent_all_count(store: Store) -> None:
    """An assistant with many windows."""
    await _remembered(store)
    numbers = iter(range(40))
    assert all(await at_once(lambda: _approve(store, f"n{next(numbers)}", rest_on=CONSENT)))


async def test_nothing_rests_on_a_consent_that_ended(store: Store) -> None:
    """Approvals cross the end of their consent; whoever then revokes the grants finds all that got through."""
    await _remembered(store)
    numbers = iter(range(20))

    async def act() -> bool:
        number = next(numbers)
        if number == 10:
            return await store.end_consents(CLIENT.client_id, USER.user_id)
        return await _approve(store, f"n{number}", rest_on=CONSENT)

    outcomes = await at_once(act, 20)
    for grant in await store.grants(NOW, USER.user_id):
        await store.revoke_grant(grant.grant_id, NOW)
    assert outcomes.count(True) >= 1
    assert not await _approve(store, "afterwards", rest_on=CONSENT)
    assert list(await store.grants(NOW, USER.user_id)) == []
