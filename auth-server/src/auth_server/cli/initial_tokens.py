"""`auth-server initial-token`."""

from typing import Annotated, Any

import typer

from auth_server.cli.output import show, show_list
from auth_server.cli.running import change, look
from auth_server.cli.style import RANDOM_ARGUMENT, AsJson, group
from auth_server.domain.initial_token import InitialToken
from auth_server.flows.administration.documents import moment

commands = group("Manage initial access tokens, with which clients register where AUTH_REGISTRATION is token.")


@commands.command("create")
def create(
    uses: Annotated[int, typer.Option(help="For how many registrations it is good.")] = 1,
    days: Annotated[float, typer.Option(help="For how many days.")] = 7.0,
    label: Annotated[str, typer.Option(help="A note on whom it is for.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """Make a token. What is registered with it may have a secret or keys, and manages its own registration."""
    made = change(
        "create initial token",
        label,
        lambda administration: administration.initial_tokens.create(uses=uses, days=days, label=label),
    )
    document = {"initial_access_token": made.secret, **_document(made.token, is_good=True)}
    lines = [
        f"token_id              {made.token.token_id}",
        f"initial_access_token  {made.secret}",
        "Keep the token now. It is shown only once.",
    ]
    show(as_json, document, "\n".join(lines))


@commands.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens that have not expired, oldest first; they cannot be shown themselves."""
    found = look(lambda administration: administration.initial_tokens.all())
    documents = [_document(token, is_good=is_good) for token, is_good in found]
    columns = ("token_id", "good", "uses", "max_uses", "expires_at", "label")
    show_list(as_json, "initial_tokens", documents, columns)


@commands.command("revoke", context_settings=RANDOM_ARGUMENT)
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", show_default=False)], as_json: AsJson = False
) -> None:
    """End a token. Clients that were registered with it stay."""
    change("revoke initial token", token_id, lambda administration: administration.initial_tokens.revoke(token_id))
    show(as_json, {"token_id": token_id, "revoked": True}, f"Revoked {token_id}.")


def _document(token: InitialToken, *, is_good: bool) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "label": token.label,
        "good": is_good,
        "uses": token.uses,
        "max_uses": token.max_uses,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
    }
