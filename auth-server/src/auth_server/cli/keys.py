"""`auth-server key`."""

from typing import Annotated, Any

import typer

from auth_server.cli.output import show, show_list
from auth_server.cli.running import change_keys, look_at_keys
from auth_server.cli.style import RANDOM_ARGUMENT, AsJson, group
from auth_server.domain.signing_key import JWKS_MAX_AGE, SealedKey
from auth_server.flows.administration.documents import moment

commands = group("Manage the keys that sign tokens.")


@commands.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the published keys, oldest first."""
    found = look_at_keys(lambda keys: keys.all())
    show_list(as_json, "keys", [_document(key) for key in found], ("key_id", "stage", "since"))


@commands.command("rotate")
def rotate(as_json: AsJson = False) -> None:
    """Sign with the next key from now on, and publish another. Tokens signed before stay valid."""
    key_id = change_keys("rotate key", "the active one", lambda keys: keys.rotate())
    show(as_json, {"active_key_id": key_id}, f"Signing with key {key_id} from now on.")


@commands.command("revoke", context_settings=RANDOM_ARGUMENT)
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KID", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Withdraw a signing key at once, after a leak: tokens signed with it are refused within seconds."""
    active = change_keys("revoke key", key_id, lambda keys: keys.revoke(key_id))
    text = (
        f"Withdrew {key_id}. Signing with {active}. mcp-server believes the old key for a few seconds more, other"
        f" resource servers until they fetch the key set anew: up to {JWKS_MAX_AGE} s."
    )
    show(as_json, {"revoked_key_id": key_id, "active_key_id": active}, text)


def _document(key: SealedKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "stage": key.stage.value,
        "since": moment(key.changed_at),
        "promotable_at": moment(key.promotable_at) if key.stage == "next" else None,
    }
