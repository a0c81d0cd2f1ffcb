"""The commands that add a record to a store, with the indexes that the scripts keep.

What a record adds lives until it is swept; only what no sweeper looks at expires by itself.
"""

import math
from collections.abc import Callable, Iterator

from auth_server.adapters.redis_store.audit import batch_fields, head_fields, stream_id
from auth_server.adapters.redis_store.authorization_fields import (
    code_fields,
    device_fields,
    first_token_fields,
    pushed_fields,
    transaction_fields,
)
from auth_server.adapters.redis_store.client_fields import client_fields
from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import pairs
from auth_server.adapters.redis_store.grant_fields import grant_fields
from auth_server.adapters.redis_store.initial_tokens import initial_token_fields
from auth_server.adapters.redis_store.key_fields import key_fields
from auth_server.adapters.redis_store.people_fields import (
    consent_field,
    consent_text,
    session_fields,
    user_fields,
    workspace_fields,
)
from auth_server.adapters.redis_store.scripts import SLACK
from auth_server.domain.audit import AuditBatch
from auth_server.domain.authorization import TRANSACTION_LIFETIME, USED_CODE_MEMORY
from auth_server.domain.client import DYNAMIC_LIFETIME, NEVER_USED_LIFETIME, Registration
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.device import DEVICE_MEMORY
from auth_server.domain.grant import REVOKED_GRANT_MEMORY
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.revocation import Revocation
from auth_server.domain.signing_key import RETIRED_LIFETIME, KeyStage, SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Workspace
from auth_server.ports.records import (
    AttemptWindow,
    DeletedClient,
    HadKeys,
    Record,
    StoredClient,
    StoredCode,
    StoredDevice,
    StoredGrant,
    StoredPushedRequest,
    StoredTransaction,
    UsedOnce,
)

Command = list[Argument]
KeyOf = Callable[[str, str | None], str]
"""Names a key by its kind and, where there are several, its id."""


def commands_for(record: Record, key: KeyOf, now: float) -> Iterator[Command]:
    """The commands that add the record."""
    match record:
        case HadKeys():
            yield ["HSET", key("store", None), "had_keys", "1"]
        case Workspace() | StoredClient() | DeletedClient() | InitialToken() | User() | RememberedConsent():
            yield from _owner(record, key)
        case Session(digest):
            yield ["HSET", key("session", digest), *pairs(session_fields(record))]
            yield ["SADD", key("user-sessions", record.user_id), digest]
            yield _review(key, "session", digest, record.expires_at)
        case StoredPushedRequest() | StoredTransaction():
            yield from _request(record, key)
        case StoredGrant():
            yield from _grant(record, key)
        case StoredCode(code, used_at, wrong_verifiers):
            values = code_fields(code) | {"wrong_verifiers": wrong_verifiers} | _known({"used_at": used_at})
            yield ["HSET", key("code", code.digest), *pairs(values)]
            yield ["HSET", key("grant", code.grant_id), "code", code.digest]
            yield _review(key, "code", code.digest, (used_at or code.expires_at) + USED_CODE_MEMORY)
        case StoredDevice() | AttemptWindow() | UsedOnce() | Revocation() | AuditBatch():
            yield from _short_lived(record, key, now)
        case SealedKey(key_id):
            yield ["HSET", key("key", key_id), *pairs(key_fields(record))]
            yield ["SADD", key("keys", None), key_id]
            if record.stage is KeyStage.RETIRED:
                yield _review(key, "key", key_id, record.changed_at + RETIRED_LIFETIME)


def _owner(
    record: Workspace | StoredClient | DeletedClient | InitialToken | User | RememberedConsent, key: KeyOf
) -> Iterator[Command]:
    match record:
        case Workspace(name):
            values = workspace_fields(record) | {"members": 0, "clients": 0}
            yield ["HSET", key("workspace", name), *pairs(values)]
            yield ["ZADD", key("workspaces", None), record.created_at, name]
        case StoredClient():
            yield from _client(record, key)
        case DeletedClient(client_id, deleted_at):
            yield ["HSET", key("clients-deleted", None), client_id, deleted_at]
        case InitialToken(token_id):
            yield ["HSET", key("initial-token", token_id), *pairs(initial_token_fields(record))]
            yield ["ZADD", key("initial-tokens", None), record.created_at, token_id]
            yield _review(key, "token", token_id, record.expires_at)
        case User():
            yield from _user(record, key)
        case RememberedConsent():
            user_id = record.key.user_id
            yield ["HSET", key("user-consents", user_id), consent_field(record.key), consent_text(record)]
            yield ["ZADD", key("reviews", None), "LT", record.expires_at, f"consents:{user_id}"]


def _short_lived(
    record: StoredDevice | AttemptWindow | UsedOnce | Revocation | AuditBatch, key: KeyOf, now: float
) -> Iterator[Command]:
    match record:
        case AuditBatch():
            yield ["XADD", key("audit", None), stream_id(record), *pairs(batch_fields(record))]
            yield ["HSET", key("store", None), *pairs(head_fields(record.head))]
            for flow_id in record.flow_ids():
                yield ["RPUSH", key("audit-of", flow_id), stream_id(record)]
        case StoredDevice(device, poll_interval, polled_at, decided_at, grant_id):
            fate: dict[str, Argument] = {"polled_at": polled_at, "decided_at": decided_at, "grant_id": grant_id}
            values = device_fields(device) | {"poll_interval": poll_interval} | _known(fate)
            yield ["HSET", key("device", device.device_id), *pairs(values)]
            yield _review(key, "device", device.device_id, device.expires_at + DEVICE_MEMORY)
        case AttemptWindow(name, attempts, ends_at):
            window: dict[str, Argument] = {"key": name, "attempts": " ".join(map(repr, attempts)), "ends_at": ends_at}
            yield ["HSET", key("attempts", name), *pairs(window)]
            yield ["EXPIRE", key("attempts", name), _seconds(ends_at - now)]
        case UsedOnce(name, expires_at):
            yield ["SET", key("used", name), expires_at, "EX", _seconds(expires_at - now)]
        case Revocation(revoked, name, at):
            yield ["ZADD", key("revocations", None), at, f"{revoked.value}:{name}"]


def _request(record: StoredPushedRequest | StoredTransaction, key: KeyOf) -> Iterator[Command]:
    match record:
        case StoredPushedRequest(request, started):
            values = pushed_fields(request) | _known({"started_transaction": started})
            yield ["HSET", key("pushed", request.digest), *pairs(values)]
            yield _review(key, "pushed", request.digest, request.expires_at + TRANSACTION_LIFETIME)
        case StoredTransaction(transaction, decided_at, grant_id):
            values = transaction_fields(transaction) | _known({"decided_at": decided_at, "grant_id": grant_id})
            yield ["HSET", key("transaction", transaction.digest), *pairs(values)]
            yield _review(key, "transaction", transaction.digest, transaction.expires_at)


def _client(record: StoredClient, key: KeyOf) -> Iterator[Command]:
    client, last_used_at, used_at = record.client, record.last_used_at, record.used_at
    values = client_fields(client) | {"last_used_at": last_used_at} | _known({"used_at": used_at})
    yield ["HSET", key("client", client.client_id), *pairs(values)]
    yield ["ZADD", key("clients", None), client.created_at, client.client_id]
    yield from _counted(key, client.tenant, "clients")
    for secret in client.secrets:
        if secret.expires_at is not None:
            yield _review(key, "secret", client.client_id, secret.expires_at)
    if client.registration is Registration.OPERATOR:
        return
    if used_at is None:
        yield ["ZADD", key("clients-never-used", None), last_used_at, client.client_id]
    lifetime = NEVER_USED_LIFETIME if used_at is None else DYNAMIC_LIFETIME
    yield _review(key, "client", client.client_id, last_used_at + lifetime)


def _user(user: User, key: KeyOf) -> Iterator[Command]:
    values = user_fields(user) | _known({"disabled_at": user.disabled_at})
    yield ["HSET", key("user", user.user_id), *pairs(values)]
    yield ["HSET", key("emails", None), user.email, user.user_id]
    yield ["ZADD", key("users", None), user.created_at, user.user_id]
    for membership in user.memberships:
        yield from _counted(key, membership.workspace, "members")


def _counted(key: KeyOf, workspace: str | None, what: str) -> Iterator[Command]:
    if workspace not in {None, DEFAULT_WORKSPACE.name}:
        yield ["HINCRBY", key("workspace", workspace), what, 1]


def _grant(record: StoredGrant, key: KeyOf) -> Iterator[Command]:
    grant, live, replaced, revoked_at = record.grant, record.live, record.replaced, record.revoked_at
    values = grant_fields(grant) | _known({"revoked_at": revoked_at})
    if live:
        values |= first_token_fields(live)
    if replaced:
        values["previous_digest"] = replaced.digest
        values |= {"rotated_at": replaced.rotated_at, "rotation_request": replaced.request}
        if replaced.sealed is not None:
            yield ["SET", key("sealed", grant.grant_id), replaced.sealed, "EX", SLACK]
    yield ["HSET", key("grant", grant.grant_id), *pairs(values)]
    yield ["SET", key("handle", grant.handle), grant.grant_id]
    if revoked_at is None:
        yield ["SADD", key("user-grants", grant.user_id), grant.grant_id]
        yield ["SADD", key("client-grants", grant.client_id), grant.grant_id]
        yield _review(key, "grant", grant.grant_id, grant.created_at + USED_CODE_MEMORY)
    else:
        yield _review(key, "grant", grant.grant_id, revoked_at + REVOKED_GRANT_MEMORY)


def _review(key: KeyOf, kind: str, identifier: str, at: float) -> Command:
    return ["ZADD", key("reviews", None), at, f"{kind}:{identifier}"]


def _known(values: dict[str, Argument]) -> dict[str, Argument]:
    return {name: value for name, value in values.items() if value is not None}


def _seconds(left: float) -> int:
    """How long Redis keeps what has that many seconds left: its clock is another."""
    return math.ceil(max(left, 0)) + SLACK
