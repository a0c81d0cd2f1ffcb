"""`auth-server grant`."""

from typing import Annotated

import typer

from auth_server.cli.output import show, show_list
from auth_server.cli.running import change, look
from auth_server.cli.style import RANDOM_ARGUMENT, AsJson, group
from auth_server.flows.administration.documents import of_grant
from auth_server.flows.administration.verbs import Administration

commands = group("See and end what people have allowed clients.")

OfUser = Annotated[str | None, typer.Option("--user", metavar="USER", help="Of that person.", show_default=False)]
OfClient = Annotated[
    str | None, typer.Option("--client", metavar="CLIENT_ID", help="To that client.", show_default=False)
]


@commands.command("list")
def list_grants(user: OfUser = None, client_id: OfClient = None, as_json: AsJson = False) -> None:
    """List the grants that are alive, oldest first."""
    found = look(lambda administration: administration.people.grants(user, client_id))
    show_list(
        as_json,
        "grants",
        [of_grant(grant) for grant in found],
        ("gid", "user_id", "client_id", "scopes", "expires_at"),
    )


@commands.command("revoke", context_settings=RANDOM_ARGUMENT)
def revoke(
    gid: Annotated[
        str | None, typer.Argument(metavar="GID", help="The `gid` of its tokens.", show_default=False)
    ] = None,
    user: OfUser = None,
    client_id: OfClient = None,
    as_json: AsJson = False,
) -> None:
    """End one grant, or all of a person or to a client, and ask again. Access tokens end within 600 seconds."""
    if (gid is None) == (user is None and client_id is None):
        raise typer.BadParameter("give either a GID, or --user or --client or both")

    async def end(administration: Administration) -> list[str]:
        if gid is None:
            return [*await administration.people.revoke_grants(user, client_id)]
        await administration.people.revoke_grant(gid)
        return [gid]

    ended = change("revoke grant", gid or user or client_id, end)
    show(as_json, {"revoked": ended}, f"Revoked {len(ended)}. Access tokens that are out end within 600 seconds.")
