"""How a grant comes into the table: with its client and its person as they are at that moment."""

from dataclasses import dataclass

from auth_server.adapters.dynamodb_store.client_items import use
from auth_server.adapters.dynamodb_store.grant_items import Owners
from auth_server.adapters.dynamodb_store.items import Item, client_key, user_key
from auth_server.adapters.dynamodb_store.memberships import generation_in
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.adapters.dynamodb_store.writes import Update
from auth_server.domain.grant import Grant

_NO_ROLE = ""


@dataclass(frozen=True, slots=True)
class Givable:
    """Whose a new grant will be, and what is written of its client beside it."""

    owners: Owners
    uses: list[Update]


async def givable(table: Table, grant: Grant, now: float) -> Givable | None:
    """None if client or person are gone, or the person is disabled or no longer has that role in the workspace."""
    client, user = client_key(grant.client_id), user_key(grant.user_id)
    found = await table.get_many([client, user])
    # One that ended a moment ago has had its grants revoked; it must not get another.
    membership = generation_in(found.get(user, {}), grant.tenant, grant.role or _NO_ROLE)
    if "generation" not in found.get(client, {}) or not _may_act(found.get(user, {})) or membership is None:
        return None
    owners = Owners(
        grant.client_id,
        found[client]["generation"],
        grant.user_id,
        found[user]["generation"],
        grant.tenant,
        membership,
    )
    return Givable(owners, use(client, found[client], now))


def _may_act(user: Item) -> bool:
    return "generation" in user and "disabled_at" not in user
