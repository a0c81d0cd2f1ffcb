"""`auth-server user`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from auth_server.cli.output import fail, show, show_list, show_one
from auth_server.cli.running import change, look
from auth_server.cli.style import AsJson, group
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Role
from auth_server.flows.administration.documents import of_user

commands = group("Manage the people who can sign in.")

UserName = Annotated[
    str, typer.Argument(metavar="USER", help="E-mail address, or user id (usr_…).", show_default=False)
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File that holds the password on one line; - reads standard input. Without it, you are asked.",
        show_default=False,
    ),
]


InWorkspace = Annotated[str, typer.Option("--workspace", metavar="WORKSPACE", help="Where it belongs.")]
InRole = Annotated[Role, typer.Option("--role", help="What the person is in the workspace.")]


@commands.command("create")
def create(
    email: Annotated[str, typer.Option(help="Address the person signs in with.", show_default=False)],
    password_file: PasswordFile = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE.name,
    role: InRole = Role.MEMBER,
    as_json: AsJson = False,
) -> None:
    """Add a person. The password is never taken from the command line, which other users of the machine can read."""
    password = _password(password_file)
    user = change(
        "create user", email, lambda administration: administration.people.create(email, password, workspace, role)
    )
    show(as_json, {"user_id": user.user_id, "email": user.email}, f"Created {user.email} ({user.user_id}).")


@commands.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List everybody, oldest first."""
    found = look(lambda administration: administration.people.all())
    show_list(as_json, "users", [of_user(user) for user in found], ("user_id", "state", "email"))


@commands.command("show")
def show_user(user: UserName, as_json: AsJson = False) -> None:
    """Show one person."""
    show_one(as_json, of_user(look(lambda administration: administration.people.find(user))))


@commands.command("disable")
def disable(user: UserName, as_json: AsJson = False) -> None:
    """End a person's sessions and refresh tokens until they are enabled. Access tokens end within 600 seconds."""
    changed = change("disable user", user, lambda administration: administration.people.disable(user))
    show(as_json, of_user(changed), f"Disabled {changed.email}. Access tokens that are out end within 600 seconds.")


@commands.command("enable")
def enable(user: UserName, as_json: AsJson = False) -> None:
    """Let a disabled person sign in again; their refresh tokens work again."""
    changed = change("enable user", user, lambda administration: administration.people.enable(user))
    show(as_json, of_user(changed), f"Enabled {changed.email}.")


@commands.command("delete")
def delete(user: UserName, as_json: AsJson = False) -> None:
    """Remove a person with their sessions and grants. Access tokens end within 600 seconds."""
    gone = change("delete user", user, lambda administration: administration.people.delete(user))
    text = f"Deleted {gone.email} ({gone.user_id}). Access tokens that are out end within 600 seconds."
    show(as_json, {"user_id": gone.user_id, "email": gone.email, "deleted": True}, text)


@commands.command("set-password")
def set_password(user: UserName, password_file: PasswordFile = None, as_json: AsJson = False) -> None:
    """Give a person another password and end their sessions. What they allowed stays; see `grant revoke`."""
    password = _password(password_file)
    changed = change(
        "set password of user", user, lambda administration: administration.people.set_password(user, password)
    )
    show(as_json, of_user(changed), f"{changed.email} has another password, and was signed out everywhere.")


def _password(file: str | None) -> str:
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read the password from {file}: {error.__class__.__name__}", "unreadable_password_file")
    return text.removesuffix("\n").removesuffix("\r")
