"""Who belongs to which workspace, as an attribute of the person's item.

Each membership has a generation, a random name that the grants given in it name too: one write ends the membership, in
that role, and all its grants. The items of earlier releases name a `tenant` instead: one membership, whose generation
and that of its grants is empty.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auth_server.adapters.dynamodb_store.items import Item, workspace_key
from auth_server.adapters.dynamodb_store.writes import Update
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Role

UNNAMED = ""
"""The generation of a membership that an earlier release has written, and of its grants."""


def attributes(memberships: Sequence[Membership], new_name: Callable[[], str]) -> Item:
    """The attribute of a person who has just been added to these workspaces."""
    return {each.workspace: membership(each.role, new_name()) for each in memberships}


def membership(role: Role, generation: str) -> Item:
    """A membership within the attribute."""
    return {"role": role.value, "generation": generation}


def stored(user: Item) -> Mapping[str, Any]:
    """The attribute of a person's item, by workspace."""
    if "memberships" not in user and "tenant" in user:
        return {user["tenant"]: membership(Role.MEMBER, UNNAMED)}
    found: Mapping[str, Any] = user.get("memberships", {})
    return found


def memberships_of(user: Item) -> tuple[Membership, ...]:
    """The memberships of a person, by name."""
    return tuple(Membership(workspace, Role(each["role"])) for workspace, each in sorted(stored(user).items()))


def generation_in(user: Item, workspace: str, role: str | None = None) -> str | None:
    """The generation of a person's membership in that workspace, in that role if one is given; None without one."""
    found = stored(user).get(workspace)
    return found["generation"] if found and role in {None, found["role"]} else None


def counted(workspaces: Sequence[str], what: str, change: int) -> list[Update]:
    """Counts what keeps workspaces from being removed: `members` or `clients`. The default one never is.

    The condition is that the workspaces are there.
    """
    return [
        Update(workspace_key(name), {}, "attribute_exists(#name)", add={what: change})
        for name in workspaces
        if name != DEFAULT_WORKSPACE.name
    ]


def unchanged_memberships(user: Item) -> tuple[str, Item]:
    """The condition that a person is still there with these memberships, and its values."""
    if "revision" not in user:
        return "attribute_exists(#generation) AND attribute_not_exists(#revision)", {}
    return "attribute_exists(#generation) AND #revision = :revision", {"revision": user["revision"]}
