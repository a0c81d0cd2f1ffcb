"""A grant as an item: what it is, whether it is over, when it must be looked at."""

from dataclasses import dataclass

from auth_server.adapters.dynamodb_store.items import (
    Item,
    Key,
    client_grant_key,
    client_key,
    code_key,
    expiring,
    grant_key,
    handle_key,
    queue,
    user_grant_key,
    user_key,
)
from auth_server.adapters.dynamodb_store.memberships import UNNAMED, generation_in
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.adapters.dynamodb_store.writes import CHANGED, PRESENT, Delete, Put, Update, Write
from auth_server.domain.authorization import USED_CODE_MEMORY, AuthorizationCode
from auth_server.domain.grant import REPLAY_WINDOW, REVOKED_GRANT_MEMORY, Grant, RefreshToken
from auth_server.domain.workspace import Role
from shared_kernel import scope

KIND = "grant"
CODE_ATTRIBUTES = (
    "code_digest",
    "code_redirect_uri",
    "code_challenge",
    "code_expires_at",
    "code_nonce",
    "code_key_thumbprint",
    "code_used_at",
    "code_used_by",
    "code_wrong_verifiers",
)


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose a grant is: its client, its person and their membership, each as they were when it was given."""

    client_id: str
    client_generation: str
    user_id: str
    user_generation: str
    tenant: str
    membership_generation: str

    async def are_there(self, table: Table, *, enabled: bool) -> bool:
        """Whether none of them has ended; and, if that matters, the person is enabled."""
        client, user = client_key(self.client_id), user_key(self.user_id)
        found = await table.get_many([client, user])
        return self.are_among(found) and not (enabled and "disabled_at" in found[user])

    def are_among(self, found: dict[Key, Item]) -> bool:
        """Whether all are among the items, in these generations."""
        client, user = found.get(client_key(self.client_id), {}), found.get(user_key(self.user_id), {})
        generations = (client.get("generation"), user.get("generation"))
        return generations == (self.client_generation, self.user_generation) and self.is_member(user)

    def is_member(self, user: Item) -> bool:
        """Whether the person still belongs to the workspace, in the role they had."""
        return generation_in(user, self.tenant) == self.membership_generation

    @property
    def keys(self) -> tuple[Key, Key]:
        """The keys of client and person, who holds the membership."""
        return client_key(self.client_id), user_key(self.user_id)


def grant_items(
    grant: Grant, owners: Owners, *, code: AuthorizationCode | None = None, first: RefreshToken | None = None
) -> list[Put]:
    """A new grant with its code or the first token of its family, and the pointers to them."""
    item = {
        **grant_attributes(grant, owners),
        **(code_attributes(code, used_at=None, wrong_verifiers=0) if code else {}),
        **(live_attributes(first) if first else {}),
        "due": (code.expires_at if code else grant.created_at) + USED_CODE_MEMORY,
    }
    pointing = pointers(grant, code.digest if code else None)
    return [Put(grant_key(grant.grant_id), item), *(pointer_to(grant, key) for key in pointing)]


def live_attributes(live: RefreshToken) -> Item:
    """What a grant's item says of its live refresh token."""
    return {
        "family": live.key.family or None,
        "refresh_digest": live.key.digest,
        "refresh_expires_at": live.expires_at,
    }


def code_attributes(code: AuthorizationCode, *, used_at: float | None, wrong_verifiers: int) -> Item:
    """What a grant's item says of its code."""
    return {
        "code_digest": code.digest,
        "code_redirect_uri": code.redirect_uri,
        "code_challenge": code.code_challenge,
        "code_expires_at": code.expires_at,
        "code_nonce": code.nonce,
        "code_key_thumbprint": code.key_thumbprint,
        "code_used_at": used_at,
        "code_wrong_verifiers": wrong_verifiers,
    }


def pointer_to(grant: Grant, key: Key) -> Put:
    """A pointer to a grant."""
    return Put(key, {"grant_id": grant.grant_id, "ttl": expiring(grant.expires_at)["ttl"]})


def grant_attributes(grant: Grant, owners: Owners) -> Item:
    """What a grant is, without what becomes of it."""
    return {
        "grant_id": grant.grant_id,
        "handle": grant.handle,
        "client_id": grant.client_id,
        "client_generation": owners.client_generation,
        "user_id": grant.user_id,
        "user_generation": owners.user_generation,
        "tenant": grant.tenant,
        "role": grant.role.value if grant.role else None,
        "membership_generation": owners.membership_generation,
        "scopes": scope.join(grant.scopes),
        "resource": grant.resource,
        "refreshable": grant.refreshable,
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "authenticated_at": grant.authenticated_at,
        "key_thumbprint": grant.key_thumbprint,
        "revision": 1,
        "queue": queue(KIND, grant_key(grant.grant_id)),
        "ttl": expiring(grant.expires_at)["ttl"],
    }


def pointers(grant: Grant, code_digest: str | None) -> list[Key]:
    """The keys of all pointers to a grant."""
    keys = [
        handle_key(grant.handle),
        client_grant_key(grant.client_id, grant.grant_id),
        user_grant_key(grant.user_id, grant.client_id, grant.grant_id),
    ]
    return keys if code_digest is None else [code_key(code_digest), *keys]


def code_of(item: Item) -> AuthorizationCode:
    """The code in a grant's item that has one."""
    return AuthorizationCode(
        item["code_digest"],
        item["grant_id"],
        item["code_redirect_uri"],
        item["code_challenge"],
        item["code_expires_at"],
        nonce=item.get("code_nonce"),
        key_thumbprint=item.get("code_key_thumbprint"),
    )


def grant_of(item: Item) -> Grant:
    """The grant in an item."""
    return Grant(
        grant_id=item["grant_id"],
        handle=item["handle"],
        client_id=item["client_id"],
        user_id=item["user_id"],
        tenant=item["tenant"],
        scopes=scope.parse(item["scopes"]),
        resource=item["resource"],
        refreshable=item["refreshable"],
        created_at=item["created_at"],
        expires_at=item["expires_at"],
        authenticated_at=item.get("authenticated_at"),
        key_thumbprint=item.get("key_thumbprint"),
        role=Role(item["role"]) if "role" in item else None,
    )


def owners_of(item: Item) -> Owners:
    """Whose the grant in an item is."""
    return Owners(
        item["client_id"],
        item["client_generation"],
        item["user_id"],
        item["user_generation"],
        item["tenant"],
        item.get("membership_generation", UNNAMED),
    )


def revocation(key: Key, call: str, now: float) -> Update:
    """Ends a grant that has not ended yet. The answer to its last rotation goes at once."""
    return Update(
        key,
        {"revoked_at": now, "revoked_by": call, "sealed": None, "due": now + REVOKED_GRANT_MEMORY},
        f"{PRESENT} AND attribute_not_exists(#revoked_at)",
        add=CHANGED,
    )


def review(key: Key, item: Item, now: float) -> list[Write]:
    """What the sweeper does with a grant that is due: deletes it, or what is over of it, or looks again later."""
    code_end = item.get("code_used_at", item.get("code_expires_at", 0.0)) + USED_CODE_MEMORY
    has_code, is_sealed = "code_digest" in item, "sealed" in item
    sealed_end = item.get("rotated_at", 0.0) + REPLAY_WINDOW
    if "revoked_at" in item:
        end = item["revoked_at"] + REVOKED_GRANT_MEMORY
    else:
        end = max(item.get("refresh_expires_at", 0.0), code_end if has_code else 0.0)
    unchanged = "#revision = :revision", {"revision": item["revision"]}
    if end <= now:
        return [Delete(key, *unchanged), *map(Delete, pointers(grant_of(item), item.get("code_digest")))]
    changes: dict[str, object] = {}
    writes: list[Write] = []
    due = [end]
    if has_code and code_end <= now:
        changes |= dict.fromkeys(CODE_ATTRIBUTES)
        writes.append(Delete(code_key(item["code_digest"])))
    elif has_code:
        due.append(code_end)
    if is_sealed and sealed_end <= now:
        changes["sealed"] = None
    elif is_sealed:
        due.append(sealed_end)
    return [Update(key, {**changes, "due": min(due)}, *unchanged, add=CHANGED), *writes]
