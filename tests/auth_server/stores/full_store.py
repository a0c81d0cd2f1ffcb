"""A store that remembers one of everything, in every stage of its life."""

from dataclasses import replace
from typing import Any

from auth_server.domain import audit
from auth_server.domain.audit import EMPTY, AuditEvent, EventName
from auth_server.domain.authorization import PUSHED_LIFETIME, PushedRequest
from auth_server.domain.client import AuthenticationMethod, ClientSecret, Registration
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import REPLAY_WINDOW, Grant, RefreshToken, RefreshTokenKey
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.signing_key import PUBLICATION_LEAD, KeyStage, SealedKey
from auth_server.domain.user import Session
from auth_server.domain.workspace import Membership, Role, Workspace
from auth_server.ports.grants import Rotation
from auth_server.ports.records import Record
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import CLIENT, CODE, CONSENT, GRANT, NOW, PUBLIC, REQUEST, TRANSACTION, USER
from tests.auth_server.stores.test_devices_contract import DEVICE

DOCUMENT = replace(
    PUBLIC,
    client_id="https://app.example/client.json",
    registration=Registration.DOCUMENT,
    document_expires_at=NOW + 300,
    jwks_uri="https://app.example/jwks.json",
)
MANAGED = replace(
    PUBLIC,
    client_id="dcr_managed",
    confidential=True,
    jwks='{"keys":[]}',
    authentication_method=AuthenticationMethod.PRIVATE_KEY_JWT,
    registration_token="registration",
    dpop_bound=True,
    par_required=True,
)
TOKEN = InitialToken("token", "digest", "for Ädä", 2, 0, NOW, NOW + 1000)
RESOURCE_SERVER = replace(CLIENT, client_id="client_rs", grant_types=frozenset(), resource_server="https://r/mcp")
DISABLED = replace(USER, user_id="usr_b", email="bob@example.com", disabled_at=NOW + 5)
PUSHED = PushedRequest("pushed", CLIENT.client_id, (("state", "äé"), ("scope", "query")), NOW + PUSHED_LIFETIME)
MINUTE = 60.0
SPACES = (Workspace("acme", "Acme, Inc.", NOW), Workspace("globex", "Glöbex", NOW + 1))
CAROL = replace(
    USER,
    user_id="usr_d",
    email="carol@example.com",
    memberships=(Membership("acme", Role.OWNER), Membership("globex", Role.MEMBER)),
)


def _refresh(grant_id: str, digest: str) -> RefreshToken:
    return RefreshToken(RefreshTokenKey(grant_id, f"family of {grant_id}", digest), NOW + 1000)


def _rotation(grant_id: str, digest: str) -> Rotation:
    return Rotation(_refresh(grant_id, digest), b"\x00\xffsealed " + digest.encode(), "query https://r/mcp")


def _key(name: str, stage: KeyStage, promotable_at: float = NOW) -> SealedKey:
    return SealedKey(name, stage, f'{{"kid": "{name}"}}', b"\x00\xff" + name.encode(), NOW, promotable_at)


def device(name: str) -> DeviceAuthorization:
    """A device authorization of that id, whose code is `dc-<name>`."""
    return replace(DEVICE, device_id=name, digest=f"dc-{name}", family=f"family of {name}")


def _device_grant(name: str) -> Grant:
    return replace(GRANT, grant_id=name, handle=f"handle-{name}")


async def _approved(
    store: Store, name: str, client_id: str = CLIENT.client_id, remember: RememberedConsent | None = None
) -> Grant:
    """A grant with that id, whose code is `code-<name>`."""
    grant = replace(GRANT, grant_id=name, handle=f"handle-{name}", client_id=client_id)
    await store.start_transaction(replace(TRANSACTION, digest=f"txn-{name}"))
    thumbprint = "thumbprint" if name == "bound" else None
    code = replace(CODE, digest=f"code-{name}", grant_id=name, key_thumbprint=thumbprint)
    assert await store.approve(f"txn-{name}", grant, code, NOW + 1, remember=remember)
    return grant


async def fill(store: Store) -> None:
    """Fills an empty store."""
    await store.ensure_signing_keys(_key("first", KeyStage.ACTIVE), _key("second", KeyStage.NEXT))
    await store.promote_next_key(_key("third", KeyStage.NEXT, NOW + PUBLICATION_LEAD), NOW + 2)
    for workspace in SPACES:
        await store.add_workspace(workspace)
    await store.add_client(replace(CLIENT, client_id="client_acme", tenant="acme"))
    await store.add_client(CLIENT)
    await store.rotate_client_secret(CLIENT.client_id, ClientSecret("d2", NOW + 1), NOW + 100)
    await store.add_client(PUBLIC)
    await store.add_client(replace(PUBLIC, client_id="dcr_unused", created_at=NOW + 3))
    await store.add_client(replace(PUBLIC, client_id="dcr_deleted"))
    await store.delete_client("dcr_deleted", NOW + 4)
    await store.add_client(DOCUMENT)
    await store.add_client(MANAGED)
    await store.add_client(replace(MANAGED, client_id="dcr_managed_deleted"))
    await store.delete_client("dcr_managed_deleted", NOW + 4)
    await store.add_client(RESOURCE_SERVER)
    await store.add_initial_token(TOKEN)
    await store.add_initial_token(replace(TOKEN, token_id="unused", created_at=NOW + 1))
    await store.add_client(replace(MANAGED, client_id="dcr_invited", secrets=(ClientSecret("d", NOW),)), "token")
    await store.add_user(USER)
    await store.add_user(replace(DISABLED, disabled_at=None))
    await store.add_user(CAROL)
    await store.start_session(
        Session("session", USER.user_id, NOW, NOW + 1000), verified_hash=USER.password_hash, replaces=None
    )
    await store.disable_user(DISABLED.user_id, NOW + 5)
    await store.push(PUSHED)
    await store.push(replace(PUSHED, digest="pushed-started"))
    await store.start_pushed("pushed-started", replace(TRANSACTION, digest="txn-pushed"), NOW)
    await store.start_transaction(TRANSACTION)
    await store.start_transaction(
        replace(TRANSACTION, digest="txn-stateless", request=replace(REQUEST, state=None, nonce=None, login_hint=None))
    )
    await store.start_transaction(replace(TRANSACTION, digest="txn-denied"))
    await store.deny("txn-denied", NOW + 1)
    for name in ("unused", "burnt", "used", "fresh", "rotated", "revoked", "bound"):
        await _approved(store, name)
    await _approved(store, "dynamic", PUBLIC.client_id)
    await _approved(store, "remembered", remember=CONSENT)
    for _ in range(3):
        await store.count_wrong_verifier("code-burnt")
    await store.redeem("code-used", None, NOW + 2)
    await store.count_wrong_verifier("code-unused")
    for name in ("fresh", "rotated", "revoked"):
        await store.redeem(f"code-{name}", _refresh(name, f"rt1-{name}"), NOW + 2)
    await store.redeem("code-bound", _refresh("bound", "rt1-bound"), NOW + 2, "thumbprint")
    await store.rotate(_refresh("rotated", "rt1-rotated").key, _rotation("rotated", "rt2-rotated"), NOW + 3)
    await store.rotate(_refresh("revoked", "rt1-revoked").key, _rotation("revoked", "rt2-revoked"), NOW + 3)
    await store.revoke_grant("revoked", NOW + 4)
    for name in ("pending", "polled", "approved", "denied"):
        await store.start_device(device(name))
    await store.poll_device("polled", "dc-polled", CLIENT.client_id, NOW)
    await store.poll_device("polled", "dc-polled", CLIENT.client_id, NOW + 1)
    await store.approve_device(device("approved"), _device_grant("device"), NOW + 2)
    await store.deny_device("denied", NOW + 2)
    await store.start_transaction(
        replace(
            TRANSACTION,
            digest="txn-device",
            flow_id="flow",
            request=replace(REQUEST, redirect_uri="", device_id="pending"),
        )
    )
    await store.add_grant(_device_grant("without-browser"), NOW)
    await store.count_attempt("limit", 2, MINUTE, NOW)
    await store.count_attempt("limit", 2, MINUTE, NOW + 1)
    await store.use_once("jti", NOW + 1000, NOW)
    head = EMPTY
    for number in range(3):
        time_ms = int((NOW + number) * 1000)
        event = AuditEvent(time_ms=time_ms, name=EventName.SIGNED_IN, flow_id="flow", user_id=USER.user_id)
        batch = audit.following(head, audit.packed([event], "writer"), time_ms)
        assert await store.append_audit(batch)
        head = batch.head


async def behaviour(store: Store) -> list[Any]:
    """What a full store answers to one call after another, each of which rests on something it remembers."""
    at = NOW + 10
    late = at + REPLAY_WINDOW
    rotated = _refresh("rotated", "rt1-rotated").key
    await store.count_wrong_verifier("code-unused")
    return [
        await store.ensure_signing_keys(_key("x", KeyStage.ACTIVE), _key("y", KeyStage.NEXT)),
        await store.promote_next_key(_key("z", KeyStage.NEXT), at),
        list(await store.clients()),
        await store.client(DOCUMENT.client_id),
        await store.add_client(replace(PUBLIC, client_id="dcr_deleted")),
        await store.add_client(PUBLIC),
        list(await store.initial_tokens()),
        await store.add_client(replace(MANAGED, client_id="dcr_invited_2"), "token"),
        await store.add_client(replace(MANAGED, client_id="dcr_invited_3"), "token"),
        await store.revoke_initial_token("unused"),
        await store.revoke_initial_token("unused"),
        await store.update_client(replace(MANAGED, registration_token="new"), "other"),
        await store.update_client(replace(MANAGED, registration_token="new"), "registration"),
        list(await store.users()),
        list(await store.workspaces()),
        await store.remove_workspace("acme"),
        await store.end_membership(CAROL.user_id, "globex", at),
        await store.remove_workspace("globex"),
        await store.delete_client("client_acme", at),
        await store.end_membership(CAROL.user_id, "acme", at),
        await store.remove_workspace("acme"),
        await store.add_user(replace(USER, user_id="usr_c")),
        await store.session("session", at),
        await store.start_session(
            Session("s2", DISABLED.user_id, at, at + 9), verified_hash=DISABLED.password_hash, replaces=None
        ),
        await store.transaction("txn", at),
        await store.transaction("txn-stateless", at),
        await store.transaction("txn-pushed", at),
        await store.pushed_request("pushed", at),
        await store.pushed_request("pushed-started", at),
        await store.start_pushed("pushed", replace(TRANSACTION, digest="txn-started"), at),
        await store.start_pushed("pushed-started", replace(TRANSACTION, digest="txn-started"), at),
        await store.transaction("txn-denied", at),
        await store.transaction("txn-unused", at),
        await store.deny("txn-denied", at),
        [grant.grant_id for grant in await store.grants(at)],
        await store.consent(CONSENT.key, at),
        list(await store.consents(USER.user_id, at)),
        await store.end_consents(CLIENT.client_id),
        await store.consent(CONSENT.key, at),
        await store.has_grant(USER.user_id, PUBLIC.client_id, at),
        await store.redeem("code-burnt", None, at),
        await store.redeem("code-unused", _refresh("unused", "rt1-unused"), at),
        await store.redeem("code-used", None, at),
        await store.rotate(rotated, _rotation("rotated", "rt3"), at),
        await store.rotate(rotated, replace(_rotation("rotated", "rt3"), request="other"), at),
        await store.code("code-bound"),
        await store.rotate(_refresh("bound", "rt1-bound").key, _rotation("bound", "rt2-bound"), at),
        await store.rotate(_refresh("fresh", "rt1-fresh").key, _rotation("fresh", "rt2-fresh"), at),
        await store.rotate(_refresh("fresh", "never seen").key, _rotation("fresh", "rt3-fresh"), at),
        await store.rotate(_refresh("revoked", "rt2-revoked").key, _rotation("revoked", "rt3-revoked"), at),
        await store.grant_by_handle("handle-rotated", at),
        await store.grant_by_handle("handle-revoked", at),
        await store.revoke_grant_by_handle("handle-dynamic", PUBLIC.client_id, at),
        await store.rotate(rotated, _rotation("rotated", "rt3"), late),
        await store.count_attempt("limit", 2, MINUTE, at),
        await store.count_attempt("limit", 2, MINUTE, NOW + MINUTE),
        await store.use_once("jti", NOW + 1000, at),
        await store.refreshed_grant(_refresh("fresh", "never seen").key),
        await store.transaction("txn-device", at),
        await store.device("pending", at),
        await store.device("approved", at),
        await store.poll_device("pending", "dc-pending", CLIENT.client_id, at),
        await store.poll_device("polled", "dc-polled", CLIENT.client_id, at),
        await store.poll_device("approved", "dc-approved", CLIENT.client_id, at),
        await store.poll_device("denied", "dc-denied", CLIENT.client_id, at),
        await store.rotate(device("approved").first_token("device").key, _rotation("device", "rt1-device"), at),
        await store.grant_by_handle("handle-without-browser", at),
        await store.audit_head(),
        await store.audit_of("flow"),
        await store.append_audit(audit.following(await store.audit_head(), b"next", int(at * 1000))),
        await store.forget_audit(NOW + 1),
        [batch.sequence async for batch in store.audit_batches()],
        await store.audit_of("flow"),
    ]


async def everything(store: Store) -> list[Record]:
    """All records of a store, in its order."""
    return [record async for record in store.records()]
