"""Fills an empty table from records."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from auth_server.adapters.dynamodb_store import audit
from auth_server.adapters.dynamodb_store.authorizations import transaction_put
from auth_server.adapters.dynamodb_store.client_items import client_item, deletion_mark
from auth_server.adapters.dynamodb_store.consents import consent_put
from auth_server.adapters.dynamodb_store.devices import device_put
from auth_server.adapters.dynamodb_store.grant_items import (
    Owners,
    code_attributes,
    grant_attributes,
    live_attributes,
    pointer_to,
    pointers,
)
from auth_server.adapters.dynamodb_store.initial_tokens import initial_token_put
from auth_server.adapters.dynamodb_store.items import (
    SIGNING_KEYS,
    STORE,
    Item,
    Key,
    client_key,
    code_key,
    expiring,
    grant_key,
    user_key,
)
from auth_server.adapters.dynamodb_store.keys import keys_of, keys_put
from auth_server.adapters.dynamodb_store.limits import window_put
from auth_server.adapters.dynamodb_store.memberships import counted, generation_in
from auth_server.adapters.dynamodb_store.people import session_put, user_puts
from auth_server.adapters.dynamodb_store.pushed_requests import pushed_put
from auth_server.adapters.dynamodb_store.replays import mark_put
from auth_server.adapters.dynamodb_store.revocations import note
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.adapters.dynamodb_store.workspaces import workspace_put
from auth_server.adapters.dynamodb_store.writes import CHANGED, Put, Update
from auth_server.domain.audit import AuditBatch
from auth_server.domain.authorization import USED_CODE_MEMORY
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.revocation import Revocation
from auth_server.domain.signing_key import SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Workspace
from auth_server.ports.records import (
    AttemptWindow,
    DeletedClient,
    HadKeys,
    Record,
    ReplacedToken,
    StoredClient,
    StoredCode,
    StoredDevice,
    StoredGrant,
    StoredPushedRequest,
    StoredTransaction,
    UsedOnce,
)

_AT_ONCE = 16
"""Items that are changed at the same time."""
_NOBODY = ""
"""The generation of an owner that is gone."""

_Owners = Mapping[Key, Item]


async def restore(table: Table, records: Sequence[Record]) -> None:
    """See RecordStore."""
    for kind, same in groupby(records, type):
        if kind is SealedKey:
            await _restore_keys(table, [key for key in same if isinstance(key, SealedKey)])
        else:
            await _restore_alike(table, [*same])


async def _restore_alike(table: Table, records: Sequence[Record]) -> None:
    # What they belong to came before them.
    owners = await table.get_many([key for record in records for key in _owner_keys(record)])
    await table.put_all([put for record in records for put in _puts(record, owners, table.new_name)])
    updates = [update for record in records for update in _updates(record)]
    batches = [record for record in records if isinstance(record, AuditBatch)]
    updates += [audit.restored_head(batches)] if batches else []
    for start in range(0, len(updates), _AT_ONCE):
        await asyncio.gather(*(table.write(update) for update in updates[start : start + _AT_ONCE]))


async def _restore_keys(table: Table, keys: Sequence[SealedKey]) -> None:
    present = keys_of(await table.get(SIGNING_KEYS))
    await table.write(keys_put([*present, *keys], table.new_name(), None))


def _owner_keys(record: Record) -> Sequence[Key]:
    match record:
        case Session():
            return [user_key(record.user_id)]
        case RememberedConsent():
            return [user_key(record.key.user_id)]
        case StoredGrant():
            return [client_key(record.grant.client_id), user_key(record.grant.user_id)]
        case _:
            return []


def _puts(record: Record, owners: _Owners, new_name: Callable[[], str]) -> Sequence[Put]:
    match record:
        case Workspace() | StoredClient() | DeletedClient() | InitialToken() | User():
            return _owner_puts(record, new_name)
        case RememberedConsent(key):
            user = owners.get(user_key(key.user_id), {})
            return [consent_put(record, generation_in(user, key.workspace) or _NOBODY)]
        case Session():
            return [session_put(record, owners.get(user_key(record.user_id), {}).get("sessions", _NOBODY))]
        case StoredPushedRequest(request, started):
            return [pushed_put(request, started)]
        case StoredTransaction(transaction, decided_at, grant_id):
            return [transaction_put(transaction, decided_at, grant_id)]
        case StoredGrant():
            return _grant_puts(record, owners)
        case StoredCode(code):
            ttl = expiring(code.expires_at + USED_CODE_MEMORY)["ttl"]
            return [Put(code_key(code.digest), {"grant_id": code.grant_id, "ttl": ttl})]
        case AuditBatch():
            return audit.restored(record)
        case StoredDevice() | AttemptWindow() | UsedOnce() | Revocation():
            return [_short_lived_put(record, new_name)]
        case _:
            return []


def _owner_puts(
    record: Workspace | StoredClient | DeletedClient | InitialToken | User, new_name: Callable[[], str]
) -> Sequence[Put]:
    match record:
        case Workspace():
            return [workspace_put(record, new_name())]
        case StoredClient(client, last_used_at, used_at):
            item = client_item(client, new_name(), last_used_at=last_used_at, used_at=used_at)
            return [Put(client_key(client.client_id), item)]
        case DeletedClient(client_id, deleted_at):
            return [Put(client_key(client_id), deletion_mark(client_id, deleted_at))]
        case InitialToken():
            return [initial_token_put(record)]
        case User():
            return user_puts(record, new_name)


def _short_lived_put(record: StoredDevice | AttemptWindow | UsedOnce | Revocation, new_name: Callable[[], str]) -> Put:
    match record:
        case StoredDevice():
            return device_put(record)
        case AttemptWindow(key, moments, ends_at):
            return window_put(key, moments, ends_at)
        case UsedOnce(key, expires_at):
            return mark_put(key, expires_at, new_name())
        case Revocation():
            return note(record)


def _updates(record: Record) -> Sequence[Update]:
    """What changes items that are there."""
    match record:
        case HadKeys():
            return [Update(STORE, {"had_keys": True})]
        case StoredClient(client) if client.tenant is not None:
            return counted([client.tenant], "clients", 1)
        case User():
            return counted([each.workspace for each in record.memberships], "members", 1)
        case StoredCode(code, used_at, wrong_verifiers):
            changes = code_attributes(code, used_at=used_at, wrong_verifiers=wrong_verifiers)
            return [Update(grant_key(code.grant_id), changes, add=CHANGED)]
        case _:
            return []


def _grant_puts(record: StoredGrant, found: _Owners) -> Sequence[Put]:
    grant, live, replaced = record.grant, record.live, record.replaced
    client, user = found.get(client_key(grant.client_id), {}), found.get(user_key(grant.user_id), {})
    owners = Owners(
        grant.client_id,
        client.get("generation", _NOBODY),
        grant.user_id,
        user.get("generation", _NOBODY),
        grant.tenant,
        generation_in(user, grant.tenant) or _NOBODY,
    )
    item = {
        **grant_attributes(grant, owners),
        "revoked_at": record.revoked_at,
        "due": grant.created_at,  # the sweeper finds out what is due when
        **(live_attributes(live) if live else {}),
        **(_replaced_attributes(replaced) if replaced else {}),
    }
    return [
        Put(grant_key(grant.grant_id), item),
        *(pointer_to(grant, pointing) for pointing in pointers(grant, None)),
    ]


def _replaced_attributes(replaced: ReplacedToken) -> Item:
    return {
        "previous_digest": replaced.digest,
        "rotated_at": replaced.rotated_at,
        "rotation_request": replaced.request,
        "sealed": replaced.sealed,
    }
