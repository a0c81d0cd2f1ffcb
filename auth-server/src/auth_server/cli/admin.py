"""`auth-server admin`."""

from typing import Annotated

import typer

from auth_server.app import operators
from auth_server.cli.output import show
from auth_server.cli.style import AsJson, group
from auth_server.domain import credentials
from auth_server.domain.administrator import Administrator, AdministratorRole
from auth_server.settings import Settings
from shared_kernel.entropy import SystemEntropy

commands = group("Serve the operator's verbs over HTTP to holders of keys.")


@commands.command("serve")
def serve() -> None:
    """Serve on the loopback address until SIGTERM or SIGINT; logs go to standard error.

    From elsewhere it is reached through a tunnel, or a proxy that asks for client certificates.
    """
    operators.serve_administration(Settings.load())


@commands.command("new-key")
def new_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who holds it, as the audit trail says.")],
    role: Annotated[
        AdministratorRole, typer.Option("--role", help="Whether it only looks, or also ends things.")
    ] = AdministratorRole.VIEWER,
    as_json: AsJson = False,
) -> None:
    """Make a key, and its line for the file that AUTH_ADMIN_KEYS_FILE names. Nothing is stored."""
    key = credentials.new_administrator_key(SystemEntropy())
    line = Administrator(name, role, credentials.digest(key)).line
    text = f"key   {key}\nline  {line}\nKeep the key now. It is shown only once."
    show(as_json, {"key": key, "line": line}, text)
