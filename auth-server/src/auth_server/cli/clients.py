"""`auth-server client`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from auth_server.cli.output import fail, show, show_list, show_one
from auth_server.cli.running import change, look
from auth_server.cli.style import AsJson, group
from auth_server.cli.users import InWorkspace
from auth_server.domain.client import GrantType
from auth_server.domain.workspace import DEFAULT_WORKSPACE
from auth_server.flows.administration.documents import of_client

commands = group("Manage the applications that ask for tokens.")

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", show_default=False)]
RedirectUris = Annotated[
    list[str] | None,
    typer.Option(
        "--redirect-uri", metavar="URI", help="Where browsers may be sent back to; repeatable.", show_default=False
    ),
]
JwksFile = Annotated[
    Path | None,
    typer.Option(
        "--jwks",
        metavar="FILE",
        help="Public keys by which it proves who it is: a JWK set; - reads standard input.",
        show_default=False,
    ),
]
JwksUri = Annotated[
    str | None,
    typer.Option(
        "--jwks-uri", metavar="URL", help="Where it publishes such a JWK set, over https.", show_default=False
    ),
]


DpopBound = Annotated[
    bool | None,
    typer.Option(
        "--dpop-bound/--no-dpop-bound",
        help="Whether each of its token requests must prove that it holds a key (DPoP).",
        show_default=False,
    ),
]
ParRequired = Annotated[
    bool | None,
    typer.Option(
        "--par-required/--no-par-required",
        help="Whether its authorization requests must be pushed to /par.",
        show_default=False,
    ),
]


class _Grant(StrEnum):
    DEVICE_CODE = "device-code"
    TOKEN_EXCHANGE = "token-exchange"
    JWT_BEARER = "jwt-bearer"


_GRANT_TYPES = {
    _Grant.DEVICE_CODE: GrantType.DEVICE_CODE,
    _Grant.TOKEN_EXCHANGE: GrantType.TOKEN_EXCHANGE,
    _Grant.JWT_BEARER: GrantType.JWT_BEARER,
}
_KINDS = {True: "confidential", False: "public"}
_KEEP = "Keep the secret now. It is shown only once."


@commands.command("create")
def create(
    name: Annotated[str, typer.Option(help="Name that people read on the consent page.", show_default=False)],
    confidential: Annotated[
        bool | None,
        typer.Option(
            "--confidential/--public",
            help="With a secret or keys, for servers and automation; or without, for apps on people's machines.",
            show_default=False,
        ),
    ] = None,
    redirect_uris: RedirectUris = None,
    scope: Annotated[
        str | None,
        typer.Option(help='Scopes it may ask for, as in "query schemas:read"; all, if left out.', show_default=False),
    ] = None,
    grants: Annotated[
        list[_Grant] | None,
        typer.Option(
            "--grant",
            help="What it may use besides: device-code on devices without a browser, token-exchange to make tokens of"
            " its workspace narrower, jwt-bearer to hand in assertions of an identity provider; repeatable.",
            show_default=False,
        ),
    ] = None,
    resource_server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The resource of AUTH_RESOURCES for which it answers: it may introspect the tokens for that, and gets"
            " none itself.",
            show_default=False,
        ),
    ] = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE.name,
    jwks: JwksFile = None,
    jwks_uri: JwksUri = None,
    dpop_bound: DpopBound = None,
    par_required: ParRequired = None,
    as_json: AsJson = False,
) -> None:
    """Add a client. A confidential one can use client_credentials; with redirect URIs, people can sign in as well.

    With keys it is confidential and has no secret.
    """
    keys, has_keys = _content(jwks), jwks is not None or jwks_uri is not None
    if confidential is None and not has_keys:
        raise typer.BadParameter("one is needed", param_hint="--confidential / --public")
    has_more = redirect_uris or scope is not None or grants or has_keys or dpop_bound or par_required
    if resource_server is not None and (not confidential or has_more):
        message = (
            "--resource-server goes with --confidential, and without redirect URIs, scopes, grants, keys and demands."
        )
        raise typer.BadParameter(message)
    made = change(
        "create client",
        name,
        lambda administration: (
            administration.clients.create(
                name=name,
                confidential=confidential is not False,
                redirect_uris=redirect_uris or (),
                scope=scope,
                workspace=workspace,
                grants=[_GRANT_TYPES[grant] for grant in grants or ()],
                jwks=keys,
                jwks_uri=jwks_uri,
                dpop_bound=bool(dpop_bound),
                par_required=bool(par_required),
            )
            if resource_server is None
            else administration.clients.create_resource_server(name=name, resource=resource_server)
        ),
    )
    document = {"client_id": made.client.client_id}
    lines = [f"Created {made.client.name}.", f"client_id      {made.client.client_id}"]
    if made.client_secret is not None:
        document["client_secret"] = made.client_secret
        lines += [f"client_secret  {made.client_secret}", _KEEP]
    show(as_json, document, "\n".join(lines))


@commands.command("list")
def list_clients(as_json: AsJson = False) -> None:
    """List all clients, oldest first."""
    found = look(lambda administration: administration.clients.all())
    columns = ("client_id", "confidential", "registration", "name")
    show_list(as_json, "clients", [of_client(client) for client in found], columns, _KINDS)


@commands.command("get")
def get(client_id: ClientId, as_json: AsJson = False) -> None:
    """Show one client; its secrets cannot be shown."""
    show_one(as_json, of_client(look(lambda administration: administration.clients.find(client_id))))


@commands.command("update")
def update(
    client_id: ClientId,
    name: Annotated[str | None, typer.Option(help="Another name.", show_default=False)] = None,
    redirect_uris: RedirectUris = None,
    scope: Annotated[
        str | None, typer.Option(help="All scopes it may ask for from now on.", show_default=False)
    ] = None,
    jwks: JwksFile = None,
    jwks_uri: JwksUri = None,
    dpop_bound: DpopBound = None,
    par_required: ParRequired = None,
    as_json: AsJson = False,
) -> None:
    """Change a client that an operator made. What is given replaces what was; the rest stays.

    With keys, its secrets end.
    """
    keys = _content(jwks)
    changed = change(
        "update client",
        client_id,
        lambda administration: administration.clients.update(
            client_id,
            name=name,
            redirect_uris=redirect_uris or None,
            scope=scope,
            jwks=keys,
            jwks_uri=jwks_uri,
            dpop_bound=dpop_bound,
            par_required=par_required,
        ),
    )
    show_one(as_json, of_client(changed))


@commands.command("rotate-secret")
def rotate_secret(client_id: ClientId, as_json: AsJson = False) -> None:
    """Give a confidential client a new secret; the previous one keeps working for one day."""
    secret = change(
        "rotate secret of client", client_id, lambda administration: administration.clients.rotate_secret(client_id)
    )
    text = f"client_secret  {secret}\n{_KEEP} The previous one keeps working for one day."
    show(as_json, {"client_id": client_id, "client_secret": secret}, text)


@commands.command("delete")
def delete(client_id: ClientId, as_json: AsJson = False) -> None:
    """Remove a client for good and revoke what people granted it."""
    change("delete client", client_id, lambda administration: administration.clients.delete(client_id))
    show(as_json, {"client_id": client_id, "deleted": True}, f"Deleted {client_id}.")


def _content(file: Path | None) -> bytes | None:
    """What is in a file, or on standard input."""
    if file is None:
        return None
    try:
        return sys.stdin.read().encode() if file == Path("-") else file.read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", "unreadable_file")
