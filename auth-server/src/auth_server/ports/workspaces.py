"""Workspaces and who belongs to them. A person's memberships are part of the person (ports/people)."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from auth_server.domain.workspace import Membership, Workspace


class Joining(Enum):
    """What became of a membership that was to be set."""

    JOINED = auto()
    NO_USER = auto()
    NO_WORKSPACE = auto()
    TOO_MANY = auto()
    """The person has MAX_MEMBERSHIPS already."""


class Removal(Enum):
    """What became of a workspace that was to be removed."""

    REMOVED = auto()
    UNKNOWN = auto()
    IN_USE = auto()
    """It has members or clients; nothing was removed."""


class WorkspaceStore(Protocol):
    """Workspaces. DEFAULT_WORKSPACE counts as one everywhere, but is never listed, added, changed or removed."""

    async def add_workspace(self, workspace: Workspace) -> bool:
        """Adds a workspace; False if its name is taken."""
        ...

    async def workspaces(self, names: Sequence[str] | None = None) -> Sequence[Workspace]:
        """The workspaces of these names, or all, oldest first."""
        ...

    async def retitle_workspace(self, name: str, title: str) -> bool:
        """Gives a workspace another title; False if there is none of that name."""
        ...

    async def remove_workspace(self, name: str) -> Removal:
        """Removes a workspace that has neither members nor clients, in one step."""
        ...

    async def set_membership(self, user_id: str, membership: Membership, now: float) -> Joining:
        """Has a person belong to a workspace in that role.

        One who had another role there has their grants in it revoked in the same step, since tokens name the role.
        """
        ...

    async def end_membership(self, user_id: str, workspace: str, now: float) -> bool:
        """Takes a person out of a workspace and revokes their grants in it, in one step; False if they were not in it.

        Whoever comes back later gets none of them back.
        """
        ...
