"""What is in the table: keys, queues, and Python values as DynamoDB's attribute values.

Every item has a string `pk` and a string `sk`. Ids that come from outside enter a key as they are while they are short
and plain, else as `~` and their SHA-256: a key has at most 1,024 bytes, and `#` separates its parts.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from auth_server.domain.consent import ConsentKey

Item = Mapping[str, Any]
"""An item's attributes as str, float, bool, bytes, lists and mappings."""
Wire = dict[str, dict[str, Any]]
"""An item as the API has it."""

NEVER = 253_402_300_799.0
"""The due time of what does not end by itself: the last second of the year 9999."""
TTL_DELAY = 86_400
"""Seconds after which DynamoDB may delete by itself what the sweeper has missed."""
SHARDS = 4
"""Parts of a queue that many requests write to: one index partition takes 1,000 writes a second."""
CONSENT = "consent#"
"""What the sort keys of consents begin with."""
REVOCATIONS = "revocations#"
"""What the partition keys of revocations begin with."""
AUDIT = "audit#"
"""What the partition keys of the audit trail's hours begin with."""
_PLAIN = re.compile(r'[!"$-}]{1,400}')


class Key(NamedTuple):
    """An item's primary key."""

    pk: str
    sk: str


STORE = Key("store", "store")
SIGNING_KEYS = Key("signing-keys", "signing-keys")
AUDIT_HEAD = Key("audit-head", "audit-head")


def workspace_key(name: str) -> Key:
    """Of a workspace."""
    return Key(f"workspace#{_part(name)}", "workspace")


def client_key(client_id: str) -> Key:
    """Of a client, or of the mark that it was deleted."""
    return Key(f"client#{_part(client_id)}", "client")


def initial_token_key(token_id: str) -> Key:
    """Of an initial access token."""
    return Key(f"initial-token#{_part(token_id)}", "initial-token")


def user_key(user_id: str) -> Key:
    """Of a person."""
    return Key(f"user#{_part(user_id)}", "user")


def email_key(email: str) -> Key:
    """Of the pointer from an address to its person."""
    return Key(f"email#{_part(email)}", "email")


def session_key(digest: str) -> Key:
    """Of a session."""
    return Key(f"session#{_part(digest)}", "session")


def pushed_key(digest: str) -> Key:
    """Of a pushed request."""
    return Key(f"pushed#{_part(digest)}", "pushed")


def transaction_key(digest: str) -> Key:
    """Of a transaction."""
    return Key(f"transaction#{_part(digest)}", "transaction")


def device_key(device_id: str) -> Key:
    """Of a device authorization."""
    return Key(f"device#{_part(device_id)}", "device")


def grant_key(grant_id: str) -> Key:
    """Of a grant, its code and its refresh tokens."""
    return Key(f"grant#{_part(grant_id)}", "grant")


def code_key(digest: str) -> Key:
    """Of the pointer from a code to its grant."""
    return Key(f"code#{_part(digest)}", "code")


def handle_key(handle: str) -> Key:
    """Of the pointer from a handle to its grant."""
    return Key(f"handle#{_part(handle)}", "handle")


def window_key(name: str) -> Key:
    """Of a window of attempts."""
    return Key(f"attempts#{_part(name)}", "attempts")


def mark_key(name: str) -> Key:
    """Of a mark that something has been used."""
    return Key(f"used#{_part(name)}", "used")


def revocation_key(period: int, revoked: str, name: str) -> Key:
    """Of the note that something was revoked in that period."""
    return Key(f"{REVOCATIONS}{period}", f"revocation#{revoked}#{_part(name)}")


def audit_key(hour: int, sequence: int) -> Key:
    """Of a batch of the audit trail."""
    return Key(f"{AUDIT}{hour}", f"batch#{sequence:015d}")


def audited_flow(flow_id: str) -> str:
    """The partition of the pointers to the batches that tell of a flow."""
    return f"audit-of#{_part(flow_id)}"


def audit_pointer_key(flow_id: str, sequence: int) -> Key:
    """Of the pointer from a flow to a batch that tells of it."""
    return Key(audited_flow(flow_id), f"batch#{sequence:015d}")


def client_grant_key(client_id: str, grant_id: str) -> Key:
    """Of the pointer from a client to one of its grants."""
    return Key(client_key(client_id).pk, f"grant#{_part(grant_id)}")


def user_grant_key(user_id: str, client_id: str, grant_id: str) -> Key:
    """Of the pointer from a person to one of their grants."""
    return Key(user_key(user_id).pk, f"{user_grants(client_id)}{_part(grant_id)}")


def user_grants(client_id: str | None = None) -> str:
    """What the sort keys of a person's pointers begin with; to grants of one client, or of all."""
    return "grant#" if client_id is None else f"grant#{_part(client_id)}#"


def consent_key(key: ConsentKey) -> Key:
    """Of a consent."""
    about = json.dumps(key.parts)
    return Key(user_key(key.user_id).pk, f"{user_consents(key.client_id)}{hashlib.sha256(about.encode()).hexdigest()}")


def user_consents(client_id: str | None = None) -> str:
    """What the sort keys of a person's consents begin with; to one client, or to all."""
    return CONSENT if client_id is None else f"{CONSENT}{_part(client_id)}#"


def queue(kind: str, key: Key) -> str:
    """The queue of an item of that kind in which the sweeper finds it, and lists find it too."""
    return f"{kind}#{hashlib.sha256(key.pk.encode()).digest()[0] % SHARDS}"


def queues(kind: str) -> list[str]:
    """All queues of a kind."""
    return [f"{kind}#{shard}" for shard in range(SHARDS)]


def expiring(due: float) -> dict[str, float]:
    """The attributes of an item that may be deleted at that time."""
    return {"due": due, "ttl": int(due) + TTL_DELAY}


def to_wire(item: Item) -> Wire:
    """An item as the API takes it; attributes that are None are left out."""
    return {name: encode(value) for name, value in item.items() if value is not None}


def from_wire(wire: Wire) -> Item:
    """An item as the API gives it."""
    return {name: _decode(value) for name, value in wire.items()}


def encode(value: Any) -> dict[str, Any]:
    """A value as the API takes it."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": to_wire(value)}
        case _:
            return {"L": [encode(element) for element in value]}


def _decode(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return float(value)
        case "M":
            return from_wire(value)
        case "L":
            return [_decode(element) for element in value]
        case _:
            return value


def _part(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "~" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
