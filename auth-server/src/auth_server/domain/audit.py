"""The audit trail: what happened, in batches of events, each of which holds the hash of the batch before.

A batch that is changed, removed or put elsewhere does not fit the ones around it. Whoever can write the store can make
a whole trail anew; that shows where an earlier head of it was noted elsewhere.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from auth_server.domain.failures import ALARMS

LONGEST_TEXT = 200
"""Most characters that an event keeps of a text."""
MOST_FACTS = 12
START = bytes(32)
"""What stands in the first batch of a trail for the hash of the one before."""
_PURPOSE = b"auth-server audit batch 1\n"


class EventName(StrEnum):
    """Everything that is recorded: the steps of flows, and what the operator changes."""

    REQUEST_PUSHED = "request_pushed"
    DEVICE_AUTHORIZATION_STARTED = "device_authorization_started"
    DEVICE_CODE_ENTERED = "device_code_entered"
    AUTHORIZATION_STARTED = "authorization_started"
    AUTHORIZATION_REFUSED = "authorization_refused"
    SIGN_IN_SHOWN = "sign_in_shown"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_SHED = "sign_in_shed"
    SIGN_IN_THROTTLED = "sign_in_throttled"
    SIGNED_OUT = "signed_out"
    CONSENT_SHOWN = "consent_shown"
    NO_WORKSPACE = "no_workspace"
    ANOTHER_PERSON = "another_person"
    CONSENT_GIVEN = "consent_given"
    CONSENT_REMEMBERED = "consent_remembered"
    CONSENT_ENDED = "consent_ended"
    CONSENT_DENIED = "consent_denied"
    DECISION_REPEATED = "decision_repeated"
    DISCONNECTED = "disconnected"
    TOKENS_ISSUED = "tokens_issued"
    TOKENS_REPLAYED = "tokens_replayed"
    GRANT_REVOKED = "grant_revoked"
    GRANT_ENDED = "grant_ended"
    INTROSPECTED = "introspected"
    USERINFO_READ = "userinfo_read"
    CLIENT_REGISTERED = "client_registered"
    CLIENT_CHANGED = "client_changed"
    CLIENT_DELETED = "client_deleted"
    CLIENT_DOCUMENT_READ = "client_document_read"
    CLIENT_DOCUMENT_UNAVAILABLE = "client_document_unavailable"
    CLIENT_DOCUMENT_INVALID = "client_document_invalid"
    CLIENT_ASSERTION_REFUSED = "client_assertion_refused"
    IDENTITY_ASSERTION_REFUSED = "identity_assertion_refused"
    KEY_SET_UNAVAILABLE = "key_set_unavailable"
    KEY_SET_INVALID = "key_set_invalid"
    ADMINISTERED = "administered"
    ADMINISTRATION_REFUSED = "administration_refused"
    SIGNING_KEY_ROTATED = "signing_key_rotated"
    SWEPT = "swept"
    AUDIT_FORGOTTEN = "audit_forgotten"
    REFUSED = "refused"
    AUDIT_COUNTED = "audit_counted"
    AUDIT_GAP = "audit_gap"
    OTHER = "other"

    @property
    def level(self) -> str:
        """At which level the event is logged, unless it is an alarm."""
        return _LEVELS.get(self, "info")


_LEVELS: Mapping[str, str] = {
    EventName.SIGN_IN_SHOWN: "debug",
    EventName.CONSENT_SHOWN: "debug",
    EventName.DECISION_REPEATED: "debug",
    EventName.SWEPT: "debug",
    EventName.SIGN_IN_SHED: "warning",
    EventName.SIGN_IN_THROTTLED: "warning",
    EventName.CLIENT_DOCUMENT_UNAVAILABLE: "warning",
    EventName.CLIENT_DOCUMENT_INVALID: "warning",
    EventName.KEY_SET_UNAVAILABLE: "warning",
    EventName.KEY_SET_INVALID: "warning",
    EventName.ADMINISTRATION_REFUSED: "warning",
    EventName.AUDIT_GAP: "error",
}

Fact = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened, at `time_ms` (milliseconds since the epoch).

    `flow_id` is the `gid` of the tokens that the flow leads to, or would; `request_id` is what the caller was told.
    Empty strings stand for what does not apply. Nothing here is a secret.
    """

    time_ms: int
    name: EventName
    flow_id: str = ""
    request_id: str = ""
    client_id: str = ""
    user_id: str = ""
    address: str = ""
    reason: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def is_alarm(self) -> bool:
        """Whether somebody holds what was given to somebody else."""
        return self.reason in ALARMS


_TEXTS = tuple(each.name for each in fields(AuditEvent) if each.name not in {"time_ms", "name", "facts"})


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where a trail ends: the last batch's number, time and hash. A trail that has none is at EMPTY."""

    sequence: int
    time_ms: int
    hash: bytes


EMPTY = AuditHead(0, 0, START)


@dataclass(frozen=True, slots=True)
class AuditBatch:
    """Some events, compressed, and their place in the chain. Times never go back from one batch to the next."""

    sequence: int
    time_ms: int
    previous: bytes
    hash: bytes
    body: bytes

    @property
    def head(self) -> AuditHead:
        """The end of a trail whose last batch is this."""
        return AuditHead(self.sequence, self.time_ms, self.hash)

    def events(self) -> Sequence[AuditEvent]:
        """The events. Raises UnreadableBatch."""
        try:
            return [_event(each) for each in _documents(self.body)]
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise UnreadableBatch from error

    def flow_ids(self) -> frozenset[str]:
        """The flows in which a person takes part, by which batches are found again; the others are found by time.

        None in a batch that cannot be read.
        """
        # Stores ask this of every batch that they append: making events of it would cost as much as appending it.
        try:
            found = {each["flow_id"] for each in _documents(self.body) if "flow_id" in each and "user_id" in each}
        except (ValueError, KeyError, TypeError, zlib.error):
            return frozenset()
        return frozenset(found)


class UnreadableBatch(ValueError):
    """The batch does not hold events."""


class Misfit(StrEnum):
    """Why a batch is not the one that belongs in its place; the value is a sentence."""

    MISSING = "a batch before it is missing, or stands in another place"
    CHANGED = "it was changed after it was written"
    FOREIGN = "the batch before it is not the one that it follows"
    EARLIER = "it is older than the batch before it"
    UNREADABLE = "it holds no events"
    NOT_THE_END = "the trail does not end where it should: its last batches are missing"
    NOT_EXPECTED = "it is missing, or another than was noted"


class BrokenTrail(Exception):
    """A trail does not fit; carries the first place at which it does not, and why."""

    def __init__(self, sequence: int, misfit: Misfit) -> None:
        super().__init__(f"batch {sequence}: {misfit.value}")
        self.sequence, self.misfit = sequence, misfit


def packed(events: Sequence[AuditEvent], writer: str) -> bytes:
    """The body of a batch of these events, in canonical JSON; `writer` names the process."""
    document = {"writer": writer, "events": [_document(event) for event in events]}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    # A twentieth more than at the usual level, in two thirds of the time.
    compressor = zlib.compressobj(zlib.Z_BEST_SPEED, zdict=_DICTIONARY)
    return compressor.compress(text.encode()) + compressor.flush()


def following(head: AuditHead, body: bytes, time_ms: int) -> AuditBatch:
    """The batch that holds the body and follows that head."""
    sequence, time_ms = head.sequence + 1, max(head.time_ms, time_ms)
    return AuditBatch(sequence, time_ms, head.hash, _hash(sequence, time_ms, head.hash, body), body)


class Verification:
    """Judges the batches of a trail one after the other. The first states the hash of one that is no longer kept."""

    def __init__(self, expected: Mapping[int, bytes] | None = None) -> None:
        self._expected = dict(expected or {})
        self.last: AuditBatch | None = None
        self.batches = self.events = 0

    def check(self, batch: AuditBatch) -> None:
        """Raises BrokenTrail unless the batch follows the one that was checked before."""
        misfit = self._misfit(batch)
        if misfit:
            raise BrokenTrail(batch.sequence, misfit)
        try:
            self.events += len(batch.events())
        except UnreadableBatch as error:
            raise BrokenTrail(batch.sequence, Misfit.UNREADABLE) from error
        self.last, self.batches = batch, self.batches + 1

    def finish(self, head: AuditHead) -> None:
        """Raises BrokenTrail unless the trail ends at that head, and has had every batch that is expected in it."""
        if self.last is not None and self.last.head != head:
            raise BrokenTrail(self.last.sequence, Misfit.NOT_THE_END)
        if self._expected:
            raise BrokenTrail(min(self._expected), Misfit.NOT_EXPECTED)

    def _misfit(self, batch: AuditBatch) -> Misfit | None:
        if batch.hash != _hash(batch.sequence, batch.time_ms, batch.previous, batch.body):
            return Misfit.CHANGED
        if self.last is not None:
            if batch.sequence != self.last.sequence + 1:
                return Misfit.MISSING
            if batch.previous != self.last.hash:
                return Misfit.FOREIGN
            if batch.time_ms < self.last.time_ms:
                return Misfit.EARLIER
        expected = self._expected.pop(batch.sequence, batch.hash)
        return None if expected == batch.hash else Misfit.NOT_EXPECTED


def _hash(sequence: int, time_ms: int, previous: bytes, body: bytes) -> bytes:
    return hashlib.sha256(_PURPOSE + previous + b"%d %d\n" % (sequence, time_ms) + body).digest()


def _document(event: AuditEvent) -> dict[str, Any]:
    document: dict[str, Any] = {"time_ms": event.time_ms, "name": event.name.value}
    document |= {name: value[:LONGEST_TEXT] for name in _TEXTS if (value := getattr(event, name))}
    if event.facts:
        known = list(event.facts.items())[:MOST_FACTS]
        document["facts"] = {name: value[:LONGEST_TEXT] if isinstance(value, str) else value for name, value in known}
    return document


def _event(document: Mapping[str, Any]) -> AuditEvent:
    try:
        return AuditEvent(**{**document, "name": EventName(document["name"])})
    except ValueError:  # a later release wrote it, and has been taken back since
        facts = {**document.get("facts", {}), "event": str(document["name"])}
        return AuditEvent(**{**document, "name": EventName.OTHER, "facts": facts})


def _documents(body: bytes) -> list[dict[str, Any]]:
    """The events of a body as they are written. Raises ValueError, KeyError, TypeError, zlib.error."""
    documents: list[dict[str, Any]] = json.loads(_unpacked(body))["events"]
    return documents


def _unpacked(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(zdict=_DICTIONARY)
    return decompressor.decompress(body) + decompressor.flush()


# What bodies have in common. It belongs to their format: another one can read none of those that were written with it.
_DICTIONARY = (
    b'{"name":"refused","reason":"client_not_authenticated","reason":"unknown_client","reason":"code_not_valid",'
    b'"reason":"refresh_token_not_valid","name":"sign_in_failed","name":"sign_in_shown","name":"consent_shown",'
    b'"name":"signed_in","name":"consent_given","name":"authorization_started","name":"tokens_issued",'
    b'"facts":{"grant_type":"authorization_code","grant_type":"refresh_token","grant_type":"client_credentials",'
    b'"method":"none","method":"client_secret_basic","path":"/token","path":"/authorize","resource":"https://",'
    b'"scope":"query schemas:read offline_access","status":400},"user_id":"usr_","client_id":"client_",'
    b'"client_id":"dcr_","client_id":"https://","address":"127.0.0.1","flow_id":"","request_id":"","time_ms":17}],'
    b'"writer":""}{"events":[{"address":""'
)
