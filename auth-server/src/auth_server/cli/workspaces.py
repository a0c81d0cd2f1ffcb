"""`auth-server workspace`."""

from typing import Annotated, Any

import typer

from auth_server.cli.output import show, show_list
from auth_server.cli.running import change, look
from auth_server.cli.style import AsJson, group
from auth_server.cli.users import InRole, UserName
from auth_server.domain.workspace import Role, Workspace
from auth_server.flows.administration.documents import moment

commands = group("Manage workspaces, whose schemas their members can query.")
members = group("Manage who belongs to a workspace.")
commands.add_typer(members, name="member")

Name = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Its short name.", show_default=False)]
_END = "Access tokens that are out end within seconds."


@commands.command("create")
def create(
    name: Annotated[
        str,
        typer.Argument(
            metavar="WORKSPACE",
            help="Short name of a-z, 0-9 and -; the `tenant` of its schemas in mcp-server.",
            show_default=False,
        ),
    ],
    title: Annotated[
        str | None, typer.Option(help="Name that people read; the short one, if left out.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a workspace."""
    made = change("create workspace", name, lambda administration: administration.workspaces.create(name, title))
    show(as_json, _document(made), f"Created {made.name} ({made.title}).")


@commands.command("list")
def list_workspaces(as_json: AsJson = False) -> None:
    """List the default workspace, then the others, oldest first."""
    found = look(lambda administration: administration.workspaces.all())
    show_list(as_json, "workspaces", [_document(workspace) for workspace in found], ("workspace", "title"))


@commands.command("update")
def update(
    name: Name,
    title: Annotated[str, typer.Option(help="Another name that people read.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Give a workspace another title; its short name stays."""
    changed = change("update workspace", name, lambda administration: administration.workspaces.update(name, title))
    show(as_json, _document(changed), f"{changed.name} is called {changed.title} now.")


@commands.command("remove")
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a workspace that has neither members nor clients."""
    change("remove workspace", name, lambda administration: administration.workspaces.remove(name))
    show(as_json, {"workspace": name, "removed": True}, f"Removed {name}.")


@members.command("add")
def add_member(name: Name, user: UserName, role: InRole = Role.MEMBER, as_json: AsJson = False) -> None:
    """Have a person belong to a workspace. One who had another role there must connect their apps again."""
    added = change(
        "add member to workspace",
        f"{name} {user}",
        lambda administration: administration.workspaces.add_member(name, user, role),
    )
    document = {"workspace": name, "user_id": added.user_id, "email": added.email, "role": role.value}
    show(as_json, document, f"{added.email} belongs to {name} as {role.value}.")


@members.command("remove")
def remove_member(name: Name, user: UserName, as_json: AsJson = False) -> None:
    """Take a person out of a workspace and revoke what they allowed clients there."""
    gone = change(
        "remove member from workspace",
        f"{name} {user}",
        lambda administration: administration.workspaces.remove_member(name, user),
    )
    document = {"workspace": name, "user_id": gone.user_id, "email": gone.email, "removed": True}
    show(as_json, document, f"{gone.email} no longer belongs to {name}. {_END}")


@members.command("list")
def list_members(name: Name, as_json: AsJson = False) -> None:
    """List who belongs to a workspace."""
    found = look(lambda administration: administration.workspaces.members(name))
    documents = [{"user_id": user.user_id, "email": user.email, "role": role.value} for user, role in found]
    show_list(as_json, "members", documents, ("user_id", "role", "email"))


def _document(workspace: Workspace) -> dict[str, Any]:
    return {
        "workspace": workspace.name,
        "title": workspace.title,
        # The default workspace was never made.
        "created_at": moment(workspace.created_at) if workspace.created_at else None,
    }
