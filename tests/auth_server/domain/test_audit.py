"""The chain of the audit trail: every change of a trail shows, at its place."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from auth_server.domain import audit
from auth_server.domain.audit import EMPTY, AuditBatch, AuditEvent, BrokenTrail, EventName, Misfit, Verification


def trail(length: int = 5) -> list[AuditBatch]:
    batches, head = list[AuditBatch](), EMPTY
    for number in range(length):
        event = AuditEvent(time_ms=1000 * number, name=EventName.SIGNED_IN, user_id=f"usr_{number}")
        batches.append(audit.following(head, audit.packed([event], "writer"), 1000 * number))
        head = batches[-1].head
    return batches


def verified(batches: Sequence[AuditBatch], expected: dict[int, bytes] | None = None) -> Verification:
    verification = Verification(expected)
    for batch in batches:
        verification.check(batch)
    verification.finish(trail()[-1].head)
    return verification


def test_a_whole_trail_fits_from_wherever_it_is_kept() -> None:
    for first in range(5):
        assert verified(trail()[first:]).events == 5 - first
    assert verified([]).batches == 0


def forged(batch: AuditBatch, **changes: object) -> AuditBatch:
    """The batch with changes, and a hash that fits them."""
    changed = replace(batch, **changes)  # type: ignore[arg-type]
    before = audit.AuditHead(changed.sequence - 1, 0, changed.previous)
    return audit.following(before, changed.body, changed.time_ms)


OTHER = audit.packed([], "writer")
TAMPERINGS: dict[str, tuple[Callable[[list[AuditBatch]], list[AuditBatch]], int, Misfit]] = {
    "an event is changed": (lambda b: [*b[:2], replace(b[2], body=OTHER), *b[3:]], 3, Misfit.CHANGED),
    "a time is changed": (lambda b: [*b[:2], replace(b[2], time_ms=2001), *b[3:]], 3, Misfit.CHANGED),
    "a number is changed": (lambda b: [*b[:2], replace(b[2], sequence=9), *b[3:]], 9, Misfit.CHANGED),
    "a predecessor is changed": (lambda b: [*b[:2], replace(b[2], previous=bytes(32)), *b[3:]], 3, Misfit.CHANGED),
    "a batch and its hash are changed": (lambda b: [*b[:2], forged(b[2], body=OTHER), *b[3:]], 4, Misfit.FOREIGN),
    "a batch is removed": (lambda b: [*b[:2], *b[3:]], 4, Misfit.MISSING),
    "two change places": (lambda b: [b[0], b[2], b[1], *b[3:]], 3, Misfit.MISSING),
    "a batch is there twice": (lambda b: [*b[:2], b[1], *b[2:]], 2, Misfit.MISSING),
    "the last are removed": (lambda b: b[:3], 3, Misfit.NOT_THE_END),
    "the last is changed": (lambda b: [*b[:4], forged(b[4], body=OTHER)], 5, Misfit.NOT_THE_END),
    "one is older than the one before": (lambda b: [*b[:4], forged(b[4], time_ms=1)], 5, Misfit.EARLIER),
    "one holds no events": (lambda b: [*b[:4], forged(b[4], body=b"{}")], 5, Misfit.UNREADABLE),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_the_first_place_that_does_not_fit_is_named(tampering: str) -> None:
    tampered, sequence, misfit = TAMPERINGS[tampering]
    with pytest.raises(BrokenTrail) as broken:
        verified(tampered(trail()))
    assert (broken.value.sequence, broken.value.misfit) == (sequence, misfit)


def test_a_trail_that_was_made_anew_shows_where_its_head_was_noted() -> None:
    noted = {batch.sequence: batch.hash for batch in trail()}
    verified(trail(), {3: noted[3], 5: noted[5]})
    anew = [audit.following(EMPTY, OTHER, 0)]
    with pytest.raises(BrokenTrail) as broken:
        Verification({1: noted[1]}).check(anew[0])
    assert broken.value.misfit is Misfit.NOT_EXPECTED
    with pytest.raises(BrokenTrail) as missing:
        verified(trail(), {6: b"later"})
    assert (missing.value.sequence, missing.value.misfit) == (6, Misfit.NOT_EXPECTED)


def test_many_events_take_little_room() -> None:
    """A refresh is an event with ids that nothing can compress; 250 of them are one batch."""
    events = [
        AuditEvent(
            time_ms=1_700_000_000_000 + number,
            name=EventName.TOKENS_ISSUED,
            flow_id=f"{number * 7919 % 10**22:022d}",
            request_id=f"6b07ec53-{number * 104729 % 10**12:012d}",
            client_id="https://claude.ai/oauth/claude-code-client-metadata",
            user_id=f"usr_{number * 15485863 % 10**22:022d}",
            address="203.0.113.7",
            facts={"grant_type": "refresh_token", "scope": "query schemas:read offline_access"},
        )
        for number in range(250)
    ]
    assert len(audit.packed(events, "writer")) < 100 * 250


def test_events_of_a_later_release_can_be_read() -> None:
    """Who takes an upgrade back keeps a trail that can be verified and read."""
    body = audit.packed([AuditEvent(time_ms=1, name=EventName.SIGNED_IN, user_id="u", facts={"n": 1})], "writer")
    document = zlib.decompressobj(zdict=audit._DICTIONARY).decompress(body).replace(b"signed_in", b"levitated")
    compressor = zlib.compressobj(zdict=audit._DICTIONARY)
    batch = audit.following(EMPTY, compressor.compress(document) + compressor.flush(), 1)
    verification = Verification()
    verification.check(batch)
    (event,) = batch.events()
    assert (event.name, event.user_id, event.facts) == (EventName.OTHER, "u", {"n": 1, "event": "levitated"})
