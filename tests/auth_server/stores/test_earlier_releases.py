"""Stores and backups that an earlier release wrote, which knew less; and gave everybody a tenant."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auth_server.adapters import record_json
from auth_server.adapters.dynamodb_store import client_items, people
from auth_server.adapters.redis_store.authorization_fields import (
    code_fields,
    code_from,
    transaction_fields,
    transaction_from,
)
from auth_server.adapters.redis_store.client_fields import client_fields, client_from
from auth_server.adapters.redis_store.fields import Fields
from auth_server.adapters.redis_store.grant_fields import grant_fields, grant_from
from auth_server.ports.records import StoredClient, StoredCode, StoredGrant, StoredTransaction
from tests.auth_server.stores.test_contract import CODE, GRANT, NOW, PUBLIC, REQUEST, TRANSACTION, USER

LATER = {
    "jwks",
    "jwks_uri",
    "authentication_method",
    "registration_token",
    "resource_server",
    "dpop_bound",
    "par_required",
}


def test_a_client_in_redis() -> None:
    known = {name: str(value).encode() for name, value in client_fields(PUBLIC).items() if name not in LATER}
    assert client_from(known | {"confidential": b"0", "document_expires_at": b""}) == PUBLIC


def test_a_client_in_dynamodb() -> None:
    item = client_items.client_item(PUBLIC, "generation", last_used_at=NOW, used_at=None)
    assert client_items.client_of({name: value for name, value in item.items() if name not in LATER}) == PUBLIC


def test_a_client_in_a_backup() -> None:
    record = StoredClient(PUBLIC, NOW, None)
    document = record_json.to_json(record)
    assert document["client"].keys() >= LATER
    document["client"] = {name: value for name, value in document["client"].items() if name not in LATER}
    assert record_json.from_json(document) == record


def test_a_client_that_came_by_itself_belongs_to_no_workspace() -> None:
    item = client_items.client_item(PUBLIC, "generation", last_used_at=NOW, used_at=None)
    assert client_items.client_of({**item, "tenant": "default"}) == PUBLIC
    known = {name: str(value).encode() for name, value in client_fields(PUBLIC).items() if name not in LATER}
    known |= {"confidential": b"0", "document_expires_at": b"", "tenant": b"default"}
    assert client_from(known) == PUBLIC


def test_a_person_in_dynamodb_is_a_member_of_what_was_their_tenant() -> None:
    _, put = people.user_puts(USER, lambda: "generation")
    item = {name: value for name, value in put.item.items() if name not in {"memberships", "revision"}}
    assert people.user_of({**item, "tenant": "default"}) == USER


def test_a_person_in_a_backup_is_a_member_of_what_was_their_tenant() -> None:
    document = record_json.to_json(USER)
    del document["memberships"]
    assert record_json.from_json({**document, "tenant": "default"}) == USER


OLD_GRANT, OLD_CODE = replace(GRANT, authenticated_at=None, role=None), replace(CODE, nonce=None)
OLD_TRANSACTION = replace(TRANSACTION, request=replace(REQUEST, nonce=None, login_hint=None, workspace=None))
LATER_OF_GRANTS = {"authenticated_at", "nonce", "login_hint", "key_thumbprint", "role", "workspace"}


def test_a_sign_in_and_its_grant_in_redis() -> None:
    def known(values: Mapping[str, Any]) -> Fields:
        kept = {name: value for name, value in values.items() if name not in LATER_OF_GRANTS}
        return {name: str(int(value) if value is True else value).encode() for name, value in kept.items()}

    assert grant_from(known(grant_fields(OLD_GRANT))) == OLD_GRANT
    assert code_from(known(code_fields(OLD_CODE))) == OLD_CODE
    transaction = transaction_fields(OLD_TRANSACTION)
    request = {n: v for n, v in json.loads(str(transaction["request"])).items() if n not in LATER_OF_GRANTS}
    assert transaction_from(known({**transaction, "request": json.dumps(request)})) == OLD_TRANSACTION


def test_a_sign_in_and_its_grant_in_a_backup() -> None:
    for record in (
        StoredGrant(OLD_GRANT, None, None, None),
        StoredCode(OLD_CODE, None, 0),
        StoredTransaction(OLD_TRANSACTION, None, None),
    ):
        assert record_json.from_json(_without_later(record_json.to_json(record))) == record


def _without_later(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {name: _without_later(value) for name, value in document.items() if name not in LATER_OF_GRANTS}
