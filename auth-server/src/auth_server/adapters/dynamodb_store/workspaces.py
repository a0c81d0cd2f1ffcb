"""Workspaces in DynamoDB, and who belongs to them."""

from collections.abc import Sequence

from auth_server.adapters.dynamodb_store.items import NEVER, Item, Key, user_key, workspace_key
from auth_server.adapters.dynamodb_store.memberships import counted, membership, stored, unchanged_memberships
from auth_server.adapters.dynamodb_store.revocations import note
from auth_server.adapters.dynamodb_store.table import LISTING, ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import CHANGED, NEW, PRESENT, Delete, Put, Update, Write
from auth_server.domain.revocation import of_membership
from auth_server.domain.workspace import DEFAULT_WORKSPACE, MAX_MEMBERSHIPS, Membership, Workspace
from auth_server.ports.workspaces import Joining, Removal

QUEUE = "workspace"


class DynamoDbWorkspaces:
    """Implements WorkspaceStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add_workspace(self, workspace: Workspace) -> bool:
        """See WorkspaceStore."""
        async with self._table.in_time():
            call = self._table.new_name()
            try:
                await self._table.write(workspace_put(workspace, call, NEW))
            except ConditionFailed as failed:
                # By this very call, if its first request got through and only the answer was lost.
                return failed.met is not None and failed.met.get("added_by") == call
            return True

    async def workspaces(self, names: Sequence[str] | None = None) -> Sequence[Workspace]:
        """See WorkspaceStore. The list of all may lag by some seconds."""
        async with self._table.in_time(LISTING):
            if names is None:
                keys = [key async for page in self._table.queued(QUEUE) for key in page]
            else:
                keys = [workspace_key(name) for name in names]
            found = [workspace_of(item) for item in (await self._table.get_many(keys)).values()]
            return sorted(found, key=lambda workspace: (workspace.created_at, workspace.name))

    async def retitle_workspace(self, name: str, title: str) -> bool:
        """See WorkspaceStore."""
        async with self._table.in_time():
            try:
                await self._table.write(Update(workspace_key(name), {"title": title}, PRESENT))
            except ConditionFailed:
                return False
            return True

    async def remove_workspace(self, name: str) -> Removal:
        """See WorkspaceStore."""
        async with self._table.in_time():
            unused = "attribute_exists(#name) AND #members = :none AND #clients = :none"
            try:
                await self._table.write(Delete(workspace_key(name), unused, {"none": 0}))
            except ConditionFailed as failed:
                return Removal.UNKNOWN if failed.met is None else Removal.IN_USE
            return Removal.REMOVED

    async def set_membership(self, user_id: str, membership: Membership, now: float) -> Joining:
        """See WorkspaceStore."""
        async with self._table.in_time():
            while True:  # in_time() ends it
                user = await self._table.get(user_key(user_id)) or {}
                if "generation" not in user:
                    return Joining.NO_USER
                present = stored(user).get(membership.workspace)
                if present is not None and present["role"] == membership.role:
                    return Joining.JOINED
                if not await self._is_workspace(membership.workspace):
                    return Joining.NO_WORKSPACE
                if present is None and len(stored(user)) >= MAX_MEMBERSHIPS:
                    return Joining.TOO_MANY
                ended = note(of_membership(membership.workspace, user_id, now))
                new = counted([membership.workspace], "members", 1)
                if await self._changed(user, membership, [ended] if present else new, due=now if present else NEVER):
                    return Joining.JOINED

    async def end_membership(self, user_id: str, workspace: str, now: float) -> bool:
        """See WorkspaceStore. The sweeper revokes the grants, which are over already without their membership."""
        async with self._table.in_time():
            while True:  # in_time() ends it
                user = await self._table.get(user_key(user_id)) or {}
                if workspace not in stored(user):
                    return False
                ended = note(of_membership(workspace, user_id, now))
                left = counted([workspace], "members", -1)
                if await self._changed(user, workspace, [ended, *left], due=now):
                    return True

    async def _changed(self, user: Item, change: Membership | str, others: Sequence[Write], *, due: float) -> bool:
        """Sets or ends a membership of a user who is still as read; False if they have changed, so look again.

        `due` is when the sweeper looks for grants that have ended with one.
        """
        memberships = {**stored(user)}
        if isinstance(change, Membership):
            memberships[change.workspace] = membership(change.role, self._table.new_name())
        else:
            del memberships[change]
        key = Key(user["pk"], user["sk"])
        unchanged, values = unchanged_memberships(user)
        changes = {"memberships": memberships, "tenant": None, "due": min(due, user["due"])}
        try:
            await self._table.transact([Update(key, changes, unchanged, values, add=CHANGED), *others])
        except TransactionFailed:
            return False
        return True

    async def _is_workspace(self, name: str) -> bool:
        return name == DEFAULT_WORKSPACE.name or await self._table.get(workspace_key(name)) is not None


def workspace_put(workspace: Workspace, added_by: str, condition: str | None = None) -> Put:
    """Adds a workspace that nobody belongs to yet."""
    item = {
        "name": workspace.name,
        "title": workspace.title,
        "created_at": workspace.created_at,
        "members": 0,
        "clients": 0,
        "added_by": added_by,
        "queue": QUEUE,
        "due": NEVER,
    }
    return Put(workspace_key(workspace.name), item, condition)


def workspace_of(item: Item) -> Workspace:
    """The workspace in an item."""
    return Workspace(item["name"], item["title"], item["created_at"])
