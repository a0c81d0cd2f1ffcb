"""Workspaces and memberships in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields, pairs
from auth_server.adapters.redis_store.people_fields import workspace_fields, workspace_from
from auth_server.adapters.redis_store.reading import read_all
from auth_server.domain.revocation import of_membership
from auth_server.domain.workspace import Membership, Workspace
from auth_server.ports.workspaces import Joining, Removal


class RedisWorkspaces:
    """Implements WorkspaceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_workspace(self, workspace: Workspace) -> bool:
        """See WorkspaceStore."""
        values = pairs(workspace_fields(workspace))
        return bool(await self._database.run("add_workspace", workspace.name, workspace.created_at, *values))

    async def workspaces(self, names: Sequence[str] | None = None) -> Sequence[Workspace]:
        """See WorkspaceStore."""
        if names is None:
            return [workspace_from(found) async for found in read_all(self._database, "workspace")]
        replies = await self._database.run("read", "workspace", *dict.fromkeys(names))
        found = [workspace_from(fields(reply)) for reply in replies if reply]
        return sorted(found, key=lambda workspace: (workspace.created_at, workspace.name))

    async def retitle_workspace(self, name: str, title: str) -> bool:
        """See WorkspaceStore."""
        return bool(await self._database.run("retitle_workspace", name, title))

    async def remove_workspace(self, name: str) -> Removal:
        """See WorkspaceStore."""
        outcome: bytes = await self._database.run("remove_workspace", name)
        return Removal[outcome.decode().upper()]

    async def set_membership(self, user_id: str, membership: Membership, now: float) -> Joining:
        """See WorkspaceStore."""
        ended = of_membership(membership.workspace, user_id, now)
        outcome: bytes = await self._database.run(
            "set_membership", user_id, membership.workspace, membership.role.value, now, ended.name, durable=True
        )
        return Joining[outcome.decode().upper()]

    async def end_membership(self, user_id: str, workspace: str, now: float) -> bool:
        """See WorkspaceStore."""
        ended = of_membership(workspace, user_id, now)
        return bool(await self._database.run("end_membership", user_id, workspace, now, ended.name, durable=True))
