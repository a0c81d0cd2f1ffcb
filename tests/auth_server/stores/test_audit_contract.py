"""What every store promises about the audit trail."""

from collections.abc import Sequence
from typing import Any

import pytest

from auth_server.domain import audit
from auth_server.domain.audit import EMPTY, AuditBatch, AuditEvent, AuditHead, EventName, Verification
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import NOW

pytestmark = pytest.mark.anyio

HOUR = 3600.0


def event(at: float, flow_id: str = "", user_id: str = "usr_a", **more: Any) -> AuditEvent:
    return AuditEvent(time_ms=int(at * 1000), name=EventName.SIGNED_IN, flow_id=flow_id, user_id=user_id, **more)


def batch(head: AuditHead, at: float, *events: AuditEvent) -> AuditBatch:
    return audit.following(head, audit.packed(events or [event(at)], "writer"), int(at * 1000))


async def trail(store: Store, *times: float, flow_id: str = "") -> list[AuditBatch]:
    """Appends a batch for each of these times."""
    batches = []
    for at in times:
        batches.append(batch(await store.audit_head(), at, event(at, flow_id)))
        assert await store.append_audit(batches[-1])
    return batches


async def kept(store: Store, since: float = 0.0) -> Sequence[AuditBatch]:
    return [each async for each in store.audit_batches(since)]


async def test_a_trail_begins_empty(store: Store) -> None:
    assert await store.audit_head() == EMPTY
    assert await kept(store) == []
    assert await store.audit_of("f") == []
    assert await store.forget_audit(NOW) == 0


async def test_batches_come_back_in_order_as_they_were(store: Store) -> None:
    batches = await trail(store, *(NOW + hour * HOUR for hour in range(15)))
    assert await kept(store) == batches
    assert await store.audit_head() == batches[-1].head
    verification = Verification()
    for each in await kept(store):
        verification.check(each)
    verification.finish(await store.audit_head())
    assert verification.events == 15


async def test_more_batches_than_are_read_at_a_time(store: Store) -> None:
    batches = await trail(store, *(NOW + n / 10 for n in range(210)), flow_id="f")
    assert await kept(store) == batches
    assert await store.audit_of("f") == batches
    assert await kept(store, NOW + 20.85) == batches[-1:]


async def test_only_what_follows_the_head_is_appended(store: Store) -> None:
    (first,) = await trail(store, NOW)
    rival = batch(EMPTY, NOW, event(NOW, "f"))
    assert not await store.append_audit(rival)
    assert await store.audit_of("f") == []
    second = batch(first.head, NOW + 1)
    assert not await store.append_audit(batch(second.head, NOW + 2))
    assert await store.append_audit(second)
    assert await kept(store) == [first, second]


async def test_a_batch_that_is_sent_again_is_there_once(store: Store) -> None:
    """Its first answer may have been lost, and others may have gone on meanwhile."""
    first, second = await trail(store, NOW, NOW + 1, flow_id="f")
    assert await store.append_audit(second)
    assert await store.append_audit(first)
    assert await kept(store) == [first, second]
    assert await store.audit_of("f") == [first, second]


async def test_a_flow_is_found_where_a_person_takes_part_in_it(store: Store) -> None:
    head = EMPTY
    tells = [
        [event(NOW, "f"), event(NOW, "g")],
        [event(NOW, "other")],
        [event(NOW, "f", user_id="")],
        [event(NOW, "f"), event(NOW, "f")],
    ]
    for events in tells:
        appended = batch(head, NOW, *events)
        assert await store.append_audit(appended)
        head = appended.head
    assert [each.sequence for each in await store.audit_of("f")] == [1, 4]
    assert [each.sequence for each in await store.audit_of("g")] == [1]


async def test_what_is_older_is_forgotten_and_the_trail_goes_on(store: Store) -> None:
    batches = await trail(store, *(NOW + hour * HOUR for hour in range(6)), flow_id="f")
    assert await store.forget_audit(NOW + 3 * HOUR) == 3
    assert await kept(store) == batches[3:]
    assert await store.audit_of("f") == batches[3:]
    assert await store.forget_audit(NOW + 100 * HOUR) == 3
    assert await kept(store) == []
    assert await store.audit_of("f") == []
    assert await store.audit_head() == batches[-1].head
    (later,) = await trail(store, NOW + 101 * HOUR)
    assert (later.sequence, later.previous) == (7, batches[-1].hash)
    assert await kept(store) == [later]


async def test_events_that_hold_anything_come_back(store: Store) -> None:
    odd = event(NOW, 'f"\x00é', client_id="\ud800", address="::1")
    written = batch(EMPTY, NOW, odd, event(NOW, "x" * audit.LONGEST_TEXT))
    assert await store.append_audit(written)
    (read,) = await kept(store)
    assert read.events() == [odd, event(NOW, "x" * audit.LONGEST_TEXT)]
    assert await store.audit_of('f"\x00é') == [written]


async def test_a_batch_that_cannot_be_read_can_be_forgotten(store: Store) -> None:
    written = audit.following(EMPTY, b"damaged", int(NOW * 1000))
    assert await store.append_audit(written)
    assert await kept(store) == [written]
    assert await store.forget_audit(NOW + 1) == 1
