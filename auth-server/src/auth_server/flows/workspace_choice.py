"""For which workspace a person lets a client work: the person chooses, where there is something to choose."""

from collections.abc import Sequence

from auth_server.domain.client import Client
from auth_server.domain.user import User
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Workspace
from auth_server.ports.workspaces import WorkspaceStore


def eligible(user: User, client: Client, asked: str | None) -> tuple[Membership, ...]:
    """The memberships that a grant of this person's to this client may be for.

    `asked` is the workspace that the request names, if it names one. A client of the operator's has its own.
    """
    return tuple(
        membership
        for membership in user.memberships
        if client.tenant in {None, membership.workspace} and asked in {None, membership.workspace}
    )


def chosen(memberships: Sequence[Membership], name: str | None) -> Membership | None:
    """The one of these memberships that the person chose: by its workspace's name, or since there is no other."""
    if name is None:
        return memberships[0] if len(memberships) == 1 else None
    return next((membership for membership in memberships if membership.workspace == name), None)


async def workspaces_of(memberships: Sequence[Membership], store: WorkspaceStore) -> tuple[Workspace, ...]:
    """Their workspaces, in the order of titles. Raises StoreUnavailable."""
    names = [membership.workspace for membership in memberships]
    found = {DEFAULT_WORKSPACE.name: DEFAULT_WORKSPACE}
    if names != [DEFAULT_WORKSPACE.name]:
        found |= {workspace.name: workspace for workspace in await store.workspaces(names)}
    return tuple(sorted((found[name] for name in names if name in found), key=lambda each: each.title.casefold()))
