"""`auth-server session`."""

from typing import Annotated

import typer

from auth_server.cli.output import show, show_list
from auth_server.cli.running import change, look
from auth_server.cli.style import AsJson, group
from auth_server.flows.administration.documents import of_session
from auth_server.flows.administration.verbs import Administration

commands = group("See and end the browsers that are signed in.")

OfUser = Annotated[str | None, typer.Option("--user", metavar="USER", help="Of that person.", show_default=False)]


@commands.command("list")
def list_sessions(user: OfUser = None, as_json: AsJson = False) -> None:
    """List the signed-in browsers, oldest sign-in first."""
    found = look(lambda administration: administration.people.sessions(user))
    show_list(as_json, "sessions", [of_session(each) for each in found], ("session_id", "user_id", "authenticated_at"))


@commands.command("revoke")
def revoke(
    session_id: Annotated[str | None, typer.Argument(metavar="SESSION_ID", show_default=False)] = None,
    user: OfUser = None,
    as_json: AsJson = False,
) -> None:
    """Sign out one browser, or all of a person. Tokens of clients go on; see `grant revoke`."""
    if (session_id is None) == (user is None):
        raise typer.BadParameter("give either a SESSION_ID or --user")

    async def end(administration: Administration) -> list[str]:
        digests = [session_id] if session_id else [each.digest for each in await administration.people.sessions(user)]
        for digest in digests:
            await administration.people.end_session(digest)
        return digests

    ended = change("end session", session_id or user, end)
    show(as_json, {"revoked": ended}, f"Signed out {len(ended)}.")
