"""Workspaces and memberships in SQLite."""

import sqlite3
from collections.abc import Sequence

from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import revoke
from auth_server.adapters.sqlite_store.revocations import note
from auth_server.domain.revocation import of_membership
from auth_server.domain.workspace import DEFAULT_WORKSPACE, MAX_MEMBERSHIPS, Membership, Workspace
from auth_server.ports.workspaces import Joining, Removal

WORKSPACE_COLUMNS = "name, title, created_at"
"""The fields of a Workspace, in order."""


class SqliteWorkspaces:
    """Implements WorkspaceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_workspace(self, workspace: Workspace) -> bool:
        """See WorkspaceStore."""
        return await self._database.write(_add, workspace)

    async def workspaces(self, names: Sequence[str] | None = None) -> Sequence[Workspace]:
        """See WorkspaceStore."""
        return await self._database.read(_workspaces, names)

    async def retitle_workspace(self, name: str, title: str) -> bool:
        """See WorkspaceStore."""
        return await self._database.write(_retitle, name, title)

    async def remove_workspace(self, name: str) -> Removal:
        """See WorkspaceStore."""
        return await self._database.write(_remove, name)

    async def set_membership(self, user_id: str, membership: Membership, now: float) -> Joining:
        """See WorkspaceStore."""
        return await self._database.write(_join, user_id, membership, now)

    async def end_membership(self, user_id: str, workspace: str, now: float) -> bool:
        """See WorkspaceStore."""
        return await self._database.write(_leave, user_id, workspace, now)


def is_workspace(db: sqlite3.Connection, name: str) -> bool:
    """Whether there is a workspace of that name."""
    found = db.execute("SELECT 1 FROM workspaces WHERE name = ?", (name,)).fetchone()
    return found is not None or name == DEFAULT_WORKSPACE.name


def _add(db: sqlite3.Connection, workspace: Workspace) -> bool:
    added = db.execute(
        f"INSERT INTO workspaces ({WORKSPACE_COLUMNS}) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (workspace.name, workspace.title, workspace.created_at),
    )
    return added.rowcount > 0


def _workspaces(db: sqlite3.Connection, names: Sequence[str] | None) -> list[Workspace]:
    rows = db.execute(f"SELECT {WORKSPACE_COLUMNS} FROM workspaces ORDER BY created_at, name")
    return [Workspace(*row) for row in rows if names is None or row[0] in names]


def _retitle(db: sqlite3.Connection, name: str, title: str) -> bool:
    return db.execute("UPDATE workspaces SET title = ? WHERE name = ?", (title, name)).rowcount > 0


def _remove(db: sqlite3.Connection, name: str) -> Removal:
    if db.execute("SELECT 1 FROM memberships WHERE workspace = ?", (name,)).fetchone():
        return Removal.IN_USE
    if db.execute("SELECT 1 FROM clients WHERE tenant = ? AND tenant <> ''", (name,)).fetchone():
        return Removal.IN_USE
    removed = db.execute("DELETE FROM workspaces WHERE name = ?", (name,))
    return Removal.REMOVED if removed.rowcount else Removal.UNKNOWN


def _join(db: sqlite3.Connection, user_id: str, membership: Membership, now: float) -> Joining:
    if not db.execute("SELECT 1 FROM users WHERE user_id = ?", (user_id,)).fetchone():
        return Joining.NO_USER
    if not is_workspace(db, membership.workspace):
        return Joining.NO_WORKSPACE
    roles = dict(db.execute("SELECT workspace, role FROM memberships WHERE user_id = ?", (user_id,)).fetchall())
    present = roles.get(membership.workspace)
    if present is None and len(roles) >= MAX_MEMBERSHIPS:
        return Joining.TOO_MANY
    if present not in {None, membership.role}:
        _leave(db, user_id, membership.workspace, now)
    add_memberships(db, user_id, [membership])
    return Joining.JOINED


def add_memberships(db: sqlite3.Connection, user_id: str, memberships: Sequence[Membership]) -> None:
    """Has a person belong to workspaces."""
    db.executemany(
        "INSERT OR IGNORE INTO memberships (user_id, workspace, role) VALUES (?, ?, ?)",
        [(user_id, each.workspace, each.role) for each in memberships],
    )


def _leave(db: sqlite3.Connection, user_id: str, workspace: str, now: float) -> bool:
    left = db.execute("DELETE FROM memberships WHERE user_id = ? AND workspace = ?", (user_id, workspace))
    if not left.rowcount:
        return False
    revoke(db, now, user_id=user_id, tenant=workspace)
    db.execute("DELETE FROM consents WHERE user_id = ? AND workspace = ?", (user_id, workspace))
    note(db, of_membership(workspace, user_id, now))
    return True
