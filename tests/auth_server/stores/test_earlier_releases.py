"""Stores and backups that an earlier release wrote, which knew less of a client."""

from auth_server.adapters import record_json
from auth_server.adapters.dynamodb_store import client_items
from auth_server.adapters.redis_store import fields
from auth_server.ports.records import StoredClient
from tests.auth_server.stores.test_contract import NOW, PUBLIC

LATER = {"jwks", "jwks_uri", "authentication_method", "registration_token", "resource_server"}


def test_a_client_in_redis() -> None:
    known = {name: str(value).encode() for name, value in fields.client_fields(PUBLIC).items() if name not in LATER}
    assert fields.client_from(known | {"confidential": b"0", "document_expires_at": b""}) == PUBLIC


def test_a_client_in_dynamodb() -> None:
    item = client_items.client_item(PUBLIC, "generation", last_used_at=NOW, used_at=None)
    assert client_items.client_of({name: value for name, value in item.items() if name not in LATER}) == PUBLIC


def test_a_client_in_a_backup() -> None:
    record = StoredClient(PUBLIC, NOW, None)
    document = record_json.to_json(record)
    assert document["client"].keys() >= LATER
    document["client"] = {name: value for name, value in document["client"].items() if name not in LATER}
    assert record_json.from_json(document) == record
