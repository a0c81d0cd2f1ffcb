"""What every store promises about workspaces: whoever left one has nothing there any more, everywhere at once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from auth_server.domain.revocation import Revocation, Revoked
from auth_server.domain.workspace import MAX_MEMBERSHIPS, Membership, Role, Workspace
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.clients import Addition
from auth_server.ports.grants import Gone, Rotated
from auth_server.ports.store import Store
from auth_server.ports.workspaces import Joining, Removal
from tests.auth_server.stores.test_contract import (
    CLIENT,
    CODE,
    FIRST,
    GRANT,
    NOW,
    TRANSACTION,
    USER,
    at_once,
    family,
    key,
    rotation,
)

pytestmark = pytest.mark.anyio

ACME, GLOBEX = Workspace("acme", "Acme, Inc.", NOW), Workspace("globex", "Glöbex", NOW + 1)
IN_ACME = Membership("acme", Role.MEMBER)


async def _leave(store: Store) -> None:
    assert await store.end_membership(USER.user_id, "default", NOW)


async def _change_role(store: Store) -> None:
    assert await store.set_membership(USER.user_id, Membership("default", Role.ADMIN), NOW) is Joining.JOINED


async def _leave_and_come_back(store: Store) -> None:
    await _leave(store)
    assert await store.set_membership(USER.user_id, USER.memberships[0], NOW) is Joining.JOINED


async def _to_admin_and_back(store: Store) -> None:
    await _change_role(store)
    assert await store.set_membership(USER.user_id, USER.memberships[0], NOW) is Joining.JOINED


ENDS = pytest.mark.parametrize("end", [_leave, _change_role, _leave_and_come_back, _to_admin_and_back])
End = Callable[[Store], Awaitable[None]]


async def _begun(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.start_transaction(TRANSACTION)


async def test_workspaces_come_back_as_they_went_in(store: Store) -> None:
    assert list(await store.workspaces()) == []
    assert await store.add_workspace(GLOBEX)
    assert await store.add_workspace(ACME)
    assert not await store.add_workspace(replace(ACME, title="Other"))
    assert list(await store.workspaces()) == [ACME, GLOBEX]
    assert list(await store.workspaces(["globex", "unknown", "default"])) == [GLOBEX]
    assert list(await store.workspaces([])) == []


async def test_a_workspace_is_removed_once_nobody_and_nothing_belongs_to_it(store: Store) -> None:
    await store.add_workspace(ACME)
    await store.add_user(replace(USER, memberships=(IN_ACME,)))
    client = replace(CLIENT, tenant="acme")
    assert await store.add_client(client) is Addition.ADDED
    assert await store.remove_workspace("acme") is Removal.IN_USE
    assert await store.end_membership(USER.user_id, "acme", NOW)
    assert await store.remove_workspace("acme") is Removal.IN_USE
    assert await store.delete_client(client.client_id, NOW)
    assert await store.remove_workspace("acme") is Removal.REMOVED
    assert await store.remove_workspace("acme") is Removal.UNKNOWN
    assert await store.add_workspace(ACME)


async def test_a_deleted_person_keeps_no_workspace_in_use(store: Store) -> None:
    await store.add_workspace(ACME)
    await store.add_user(USER)
    assert await store.set_membership(USER.user_id, IN_ACME, NOW) is Joining.JOINED
    assert await store.remove_workspace("acme") is Removal.IN_USE
    assert await store.delete_user(USER.user_id, NOW)
    assert await store.remove_workspace("acme") is Removal.REMOVED


async def test_nobody_belongs_to_what_is_not_there(store: Store) -> None:
    assert not await store.add_user(replace(USER, memberships=(IN_ACME,)))
    assert await store.user_by_email(USER.email) is None
    assert await store.add_client(replace(CLIENT, tenant="acme")) is Addition.NO_WORKSPACE
    assert await store.client(CLIENT.client_id) is None
    assert await store.set_membership("usr_unknown", USER.memberships[0], NOW) is Joining.NO_USER
    assert await store.add_user(USER)
    assert await store.set_membership(USER.user_id, IN_ACME, NOW) is Joining.NO_WORKSPACE
    assert not await store.end_membership(USER.user_id, "acme", NOW)
    assert not await store.end_membership("usr_unknown", "default", NOW)
    assert await store.user(USER.user_id) == USER
    assert list(await store.revocations(0)) == []


async def test_a_person_belongs_to_several_workspaces_and_has_one_role_in_each(store: Store) -> None:
    await store.add_workspace(ACME)
    await store.add_user(replace(USER, memberships=()))
    for membership in (Membership("default", Role.OWNER), IN_ACME, IN_ACME):
        assert await store.set_membership(USER.user_id, membership, NOW) is Joining.JOINED
    joined = replace(USER, memberships=(IN_ACME, Membership("default", Role.OWNER)))
    assert await store.user(USER.user_id) == await store.user_by_email(USER.email) == joined
    assert list(await store.users()) == [joined]
    assert list(await store.revocations(0)) == []
    await store.set_membership(USER.user_id, Membership("acme", Role.ADMIN), NOW)
    await store.end_membership(USER.user_id, "default", NOW)
    assert await store.user(USER.user_id) == replace(USER, memberships=(Membership("acme", Role.ADMIN),))


async def test_memberships_are_bounded(store: Store) -> None:
    await store.add_user(USER)
    for number in range(MAX_MEMBERSHIPS):
        await store.add_workspace(replace(ACME, name=f"w{number}"))
    outcomes = [
        await store.set_membership(USER.user_id, Membership(f"w{number}", Role.MEMBER), NOW)
        for number in range(MAX_MEMBERSHIPS)
    ]
    assert outcomes == [Joining.JOINED] * (MAX_MEMBERSHIPS - 1) + [Joining.TOO_MANY]
    assert await store.set_membership(USER.user_id, Membership("w0", Role.ADMIN), NOW) is Joining.JOINED
    assert await store.delete_user(USER.user_id, NOW)
    assert await store.remove_workspace("w0") is Removal.REMOVED


@pytest.mark.parametrize("role", [Role.ADMIN, None])
async def test_a_grant_names_the_role_that_its_person_has(store: Store, role: Role | None) -> None:
    await _begun(store)
    assert not await store.approve("txn", replace(GRANT, role=role), CODE, NOW)
    assert await store.approve("txn", GRANT, CODE, NOW)


async def test_nothing_can_be_approved_for_a_workspace_that_the_person_is_not_in(store: Store) -> None:
    await _begun(store)
    await store.add_workspace(ACME)
    assert not await store.approve("txn", replace(GRANT, tenant="acme"), CODE, NOW)
    assert await store.transaction("txn", NOW) == TRANSACTION


@pytest.mark.parametrize("end", [_leave, _change_role])
async def test_a_membership_that_ended_before_the_decision_gives_nothing(store: Store, end: End) -> None:
    await _begun(store)
    await end(store)
    assert not await store.approve("txn", GRANT, CODE, NOW)


@ENDS
async def test_a_membership_that_ended_takes_the_code_along(store: Store, end: End) -> None:
    await _begun(store)
    assert await store.approve("txn", GRANT, CODE, NOW)
    await end(store)
    assert await store.redeem("code", FIRST, NOW) == Gone()


@ENDS
async def test_a_membership_that_ended_takes_refresh_tokens_along(store: Store, end: End) -> None:
    await family(store)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    await end(store)
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW) == Gone()  # not even the replay of a moment ago
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()
    assert list(await store.grants(NOW)) == list(await store.grants(NOW, USER.user_id)) == []
    assert not await store.has_grant(USER.user_id, CLIENT.client_id, NOW)
    assert not await store.revoke_grant_by_handle(GRANT.handle, None, NOW)


async def test_what_was_allowed_in_another_workspace_stays(store: Store) -> None:
    await store.add_workspace(ACME)
    await family(store)
    await store.set_membership(USER.user_id, IN_ACME, NOW)
    await store.start_transaction(replace(TRANSACTION, digest="txn2"))
    there = replace(GRANT, grant_id="g2", handle="h2", tenant="acme")
    assert await store.approve("txn2", there, replace(CODE, digest="code2", grant_id="g2"), NOW)
    assert await store.end_membership(USER.user_id, "acme", NOW)
    assert await store.redeem("code2", None, NOW) == Gone()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


@pytest.mark.parametrize("end", [_leave, _change_role])
async def test_resource_servers_are_told(store: Store, end: End) -> None:
    await _begun(store)
    await end(store)
    assert Revocation(Revoked.MEMBERSHIP, f"default/{USER.user_id}", NOW) in await store.revocations(NOW)


async def test_of_40_departures_one_counts(store: Store) -> None:
    await store.add_workspace(ACME)
    await store.add_user(replace(USER, memberships=(IN_ACME,)))
    left = await at_once(lambda: store.end_membership(USER.user_id, "acme", NOW))
    assert sorted(left) == [False] * 39 + [True]
    assert await store.remove_workspace("acme") is Removal.REMOVED


async def test_of_40_people_who_join_at_once_each_counts(store: Store) -> None:
    await store.add_workspace(ACME)
    for number in range(40):
        await store.add_user(replace(USER, user_id=f"usr_{number}", email=f"{number}@example.com"))
    numbers = iter(range(40))
    joined = await at_once(lambda: store.set_membership(f"usr_{next(numbers)}", IN_ACME, NOW))
    assert joined == [Joining.JOINED] * 40
    for number in range(39):
        await store.end_membership(f"usr_{number}", "acme", NOW)
    assert await store.remove_workspace("acme") is Removal.IN_USE
    await store.end_membership("usr_39", "acme", NOW)
    assert await store.remove_workspace("acme") is Removal.REMOVED


async def test_a_workspace_is_joined_or_removed(store: Store) -> None:
    await store.add_user(USER)
    for number in range(8):
        workspace = replace(ACME, name=f"w{number}")
        await store.add_workspace(workspace)
        join = partial(store.set_membership, USER.user_id, Membership(workspace.name, Role.MEMBER), NOW)
        joined, removed = await crossing(number % 2 == 0, join, partial(store.remove_workspace, workspace.name))
        user = await store.user(USER.user_id)
        assert user is not None
        there = bool(await store.workspaces([workspace.name]))
        assert (user.role_in(workspace.name) is not None) == there
        if there:
            assert (joined, removed) == (Joining.JOINED, Removal.IN_USE)
        else:
            assert (joined, removed) == (Joining.NO_WORKSPACE, Removal.REMOVED)


async def test_a_redemption_that_crosses_a_departure_leaves_nothing_alive(store: Store) -> None:
    await store.add_client(CLIENT)
    for number in range(8):
        user = replace(USER, user_id=f"usr_{number}", email=f"{number}@example.com")
        await store.add_user(user)
        await store.start_transaction(replace(TRANSACTION, digest=f"txn{number}"))
        grant = replace(GRANT, grant_id=f"g{number}", handle=f"h{number}", user_id=user.user_id)
        code = replace(CODE, digest=f"code{number}", grant_id=grant.grant_id)
        assert await store.approve(f"txn{number}", grant, code, NOW)
        first = replace(FIRST, key=replace(FIRST.key, grant_id=grant.grant_id))
        redeemed, left = await crossing(
            number % 2 == 0,
            partial(store.redeem, code.digest, first, NOW),
            partial(store.end_membership, user.user_id, "default", NOW),
        )
        assert left
        assert redeemed in (Redeemed(), Gone())
        assert await store.rotate(first.key, rotation("rt2"), NOW) == Gone()
        assert list(await store.grants(NOW, user.user_id)) == []


async def crossing(in_order: bool, one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]) -> list[Any]:
    """The outcomes of both under way at the same time; the one is begun first, or the other."""
    outcomes: list[Any] = [None, None]

    async def act(number: int) -> None:
        outcomes[number] = await (one, other)[number]()

    async with anyio.create_task_group() as group:
        for number in (0, 1) if in_order else (1, 0):
            group.start_soon(act, number)
    return outcomes


async def test_a_workspace_gets_another_title_and_keeps_all_else(store: Store) -> None:
    await store.add_workspace(ACME)
    await store.add_user(replace(USER, memberships=(IN_ACME,)))
    assert await store.retitle_workspace("acme", "Äcme")
    assert list(await store.workspaces()) == [replace(ACME, title="Äcme")]
    assert await store.remove_workspace("acme") is Removal.IN_USE
    assert not await store.retitle_workspace("globex", "Globex")
    assert not await store.retitle_workspace("default", "Ours")
    assert list(await store.workspaces(["globex", "default"])) == []
