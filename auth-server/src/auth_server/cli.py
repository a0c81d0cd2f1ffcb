"""`auth-server`: serves, and lets the operator manage people, clients and keys while it does."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from auth_server import app
from auth_server.domain.client import Client
from auth_server.flows.administration import CannotDo
from auth_server.ports.store import StoreUnavailable
from auth_server.settings import Settings
from shared_kernel import logs
from shared_kernel.http_server import CannotListen
from shared_kernel.settings import BadSettings, UnusableKeyFile

T = TypeVar("T")

_ANNOUNCED_ONCE = "It is shown this once."

commands = typer.Typer(
    help="OAuth 2.1 authorization server for MCP. Settings come from AUTH_* environment variables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
users = typer.Typer(help="Manage the people who can sign in.", no_args_is_help=True, rich_markup_mode=None)
clients = typer.Typer(help="Manage the applications that ask for tokens.", no_args_is_help=True, rich_markup_mode=None)
keys = typer.Typer(help="Manage the keys that sign tokens.", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(users, name="user")
commands.add_typer(clients, name="client")
commands.add_typer(keys, name="key")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", show_default=False)]


def main() -> None:
    """Runs the command line; what goes wrong is one line on standard error and exit status 1."""
    try:
        commands()
    except (BadSettings, UnusableKeyFile, CannotListen, app.CannotStart, CannotDo) as problem:
        _fail(str(problem))
    except StoreUnavailable:
        _fail("the store cannot be read or written; see AUTH_STORE_URL")
    except KeyboardInterrupt:
        sys.exit(130)


@commands.command()
def serve() -> None:
    """Serve until SIGTERM or SIGINT; logs go to standard error."""
    app.serve(Settings.load())


@users.command("create")
def create_user(
    email: Annotated[str, typer.Option(help="Address the person signs in with.", show_default=False)],
    password_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File that holds the password on one line; - reads standard input. Without it, you are asked.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a person. The password is never taken from the command line, which other users of the machine can read."""
    password = _password(password_file)
    user = _administer(lambda administration: administration.create_user(email, password))
    _show(as_json, {"user_id": user.user_id, "email": user.email}, f"Created {user.email} ({user.user_id}).")


@clients.command("create")
def create_client(
    name: Annotated[str, typer.Option(help="Name that people read on the consent page.", show_default=False)],
    confidential: Annotated[
        bool,
        typer.Option(
            "--confidential/--public",
            help="With a secret, for servers and automation; or without one, for apps on people's machines.",
            show_default=False,
        ),
    ],
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="Where browsers may be sent back to; repeatable.", show_default=False),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help='Scopes it may ask for, as in "query schemas:read"; all, if left out.', show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a client. A confidential one can use client_credentials; with redirect URIs, people can sign in as well."""
    made = _administer(
        lambda administration: administration.create_client(
            name=name, confidential=confidential, redirect_uris=redirect_uri or (), scope=scope
        )
    )
    document = {"client_id": made.client.client_id}
    lines = [f"Created {made.client.name}.", f"client_id      {made.client.client_id}"]
    if made.client_secret is not None:
        document["client_secret"] = made.client_secret
        lines += [f"client_secret  {made.client_secret}", f"Keep the secret now. {_ANNOUNCED_ONCE}"]
    _show(as_json, document, "\n".join(lines))


@clients.command("list")
def list_clients(as_json: AsJson = False) -> None:
    """List all clients, oldest first."""
    found = _administer(lambda administration: administration.clients())
    if as_json:
        _print(json.dumps({"clients": [_client_document(client) for client in found]}, indent=2))
    for client in () if as_json else found:
        _print("  ".join((client.client_id, _kind(client), client.name)))


@clients.command("rotate-secret")
def rotate_secret(client_id: ClientId, as_json: AsJson = False) -> None:
    """Give a confidential client a new secret; the one before goes on working for a day."""
    secret = _administer(lambda administration: administration.rotate_secret(client_id))
    text = f"client_secret  {secret}\nKeep the secret now. {_ANNOUNCED_ONCE} The one before works for another day."
    _show(as_json, {"client_id": client_id, "client_secret": secret}, text)


@clients.command("delete")
def delete_client(client_id: ClientId, as_json: AsJson = False) -> None:
    """Remove a client and revoke what people granted it."""
    _administer(lambda administration: administration.delete_client(client_id))
    _show(as_json, {"client_id": client_id, "deleted": True}, f"Deleted {client_id}.")


@keys.command("rotate")
def rotate_key(as_json: AsJson = False) -> None:
    """Sign with the next key from now on, and publish another. Tokens signed before stay valid."""
    key_id = _run(app.rotate_key)
    _show(as_json, {"active_key_id": key_id}, f"Signing with key {key_id} from now on.")


def _administer(action: Callable[[Any], Awaitable[T]]) -> T:
    async def run(configured: Settings) -> T:
        async with app.administration(configured) as administration:
            return await action(administration)

    return _run(run)


def _run(action: Callable[[Settings], Awaitable[T]]) -> T:
    configured = Settings.load()
    logs.configure("auth-server", "WARNING")

    async def run() -> T:
        return await action(configured)

    return asyncio.run(run())


def _password(file: str | None) -> str:
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"cannot read the password from {file}: {error.__class__.__name__}")
    return text.removesuffix("\n").removesuffix("\r")


def _client_document(client: Client) -> Mapping[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "confidential": client.confidential,
        "registration": client.registration.value,
        "redirect_uris": list(client.redirect_uris),
        "scopes": sorted(client.scopes),
    }


def _kind(client: Client) -> str:
    return f"{'confidential' if client.confidential else 'public':12}  {client.registration.value:8}"


def _show(as_json: bool, document: Mapping[str, Any], text: str) -> None:
    _print(json.dumps(document) if as_json else text)


def _print(text: str) -> None:
    typer.echo(text)


def _fail(message: str) -> NoReturn:
    typer.echo(f"auth-server: {message}", err=True)
    sys.exit(1)
