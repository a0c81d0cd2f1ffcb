"""The command line as a whole."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from auth_server.app import serving
from auth_server.app.store import CannotStart
from auth_server.cli import (
    admin,
    audit,
    clients,
    doctor,
    grants,
    initial_tokens,
    keys,
    sessions,
    stores,
    users,
    workspaces,
)
from auth_server.cli.output import fail
from auth_server.cli.style import group
from auth_server.flows.administration.problems import CannotDo
from auth_server.ports.records import UnusableBackup
from auth_server.ports.store import StoreUnavailable
from auth_server.settings import Settings
from shared_kernel.http_server import CannotListen
from shared_kernel.key_file import UnusableKeyFile
from shared_kernel.settings import BadSettings

commands = group("OAuth 2.1 authorization server for MCP. Settings come from AUTH_* environment variables.")
commands.add_typer(users.commands, name="user")
commands.add_typer(clients.commands, name="client")
commands.add_typer(initial_tokens.commands, name="initial-token")
commands.add_typer(workspaces.commands, name="workspace")
commands.add_typer(grants.commands, name="grant")
commands.add_typer(sessions.commands, name="session")
commands.add_typer(keys.commands, name="key")
commands.add_typer(stores.commands, name="store")
commands.add_typer(audit.commands, name="audit")
commands.add_typer(audit.flow_commands, name="flow")
commands.add_typer(admin.commands, name="admin")
commands.command("doctor")(doctor.examine)


def main() -> None:
    """Runs the command line. An error is one line on standard error, a JSON object under --json; the status is 1."""
    try:
        commands()
    except CannotDo as problem:
        fail(str(problem), problem.problem.name.lower(), retry_after=problem.retry_after)
    except (BadSettings, UnusableKeyFile) as problem:
        fail(str(problem), "bad_settings")
    except UnusableBackup as problem:
        fail(str(problem), "unusable_backup")
    except (CannotListen, CannotStart) as problem:
        fail(str(problem), "cannot_start")
    except StoreUnavailable:
        fail("the store cannot be read or written; see AUTH_STORE_URL", "store_unavailable")
    except KeyboardInterrupt:
        sys.exit(130)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"auth-server {metadata.version('dynamosql-auth-server')}")
        raise typer.Exit


@commands.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """OAuth 2.1 authorization server for MCP. Settings come from AUTH_* environment variables."""


@commands.command()
def serve() -> None:
    """Serve until SIGTERM or SIGINT; logs go to standard error."""
    serving.serve(Settings.load())
