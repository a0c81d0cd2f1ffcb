"""Events on their way into the trail: nothing waits for it, and what is missing in it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from auth_server.adapters import audit_trail
from auth_server.adapters.audit_trail import MOST_WAITING, StoreAuditTrail
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.audit import AuditBatch, AuditEvent, AuditHead, EventName, Verification
from auth_server.domain.failures import Reason
from auth_server.ports.store import StoreUnavailable
from shared_kernel.entropy import SystemEntropy
from shared_kernel.logs import REQUEST_ID
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

ADDRESS = "203.0.113.7"


class Faulty:
    """A store that can be away, or lose its answers."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.is_away = self.loses_answers = False
        self.appended = asyncio.Queue[AuditBatch]()

    async def audit_head(self) -> AuditHead:
        if self.is_away:
            raise StoreUnavailable
        return await self._store.audit_head()

    async def append_audit(self, batch: AuditBatch) -> bool:
        if self.is_away:
            raise StoreUnavailable
        appended = await self._store.append_audit(batch)
        if self.loses_answers:
            raise StoreUnavailable
        self.appended.put_nowait(batch)
        return appended

    def audit_batches(self, since: float = 0.0) -> AsyncIterator[AuditBatch]:
        return self._store.audit_batches(since)

    async def audit_of(self, flow_id: str) -> Sequence[AuditBatch]:
        return await self._store.audit_of(flow_id)

    async def forget_audit(self, before: float) -> int:
        return await self._store.forget_audit(before)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Faulty]:
    """A store whose faults the test chooses."""
    opened = SqliteStore.open(tmp_path / "auth.db")
    try:
        yield Faulty(opened)
    finally:
        opened.close()


def trail_over(store: Faulty, **more: bool) -> StoreAuditTrail:
    return StoreAuditTrail(store, SettableClock(), SystemEntropy(), **more)


async def kept(store: Faulty) -> list[AuditEvent]:
    """All events of a trail that is whole."""
    verification, events = Verification(), list[AuditEvent]()
    async for batch in store.audit_batches():
        verification.check(batch)
        events += batch.events()
    verification.finish(await store.audit_head())
    return events


def sign_in(trail: StoreAuditTrail, number: int = 0) -> None:
    trail.record(EventName.SIGNED_IN, flow_id="flow", client_id="c", user_id=f"usr_{number}", address=ADDRESS)


@asynccontextmanager
async def running(trail: StoreAuditTrail) -> AsyncIterator[None]:
    task = asyncio.create_task(trail.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def next_batch(store: Faulty) -> list[str]:
    """The people in the next batch that is appended."""
    async with asyncio.timeout(20):
        return [event.user_id for event in (await store.appended.get()).events()]


async def test_an_event_is_logged_at_once_and_kept_as_it_was(store: Faulty) -> None:
    trail = trail_over(store)
    context = REQUEST_ID.set("request")
    try:
        with capture_logs() as lines:
            told = trail.record(
                EventName.CONSENT_GIVEN, flow_id="f", client_id="c", user_id="u", address=ADDRESS, scope="query"
            )
    finally:
        REQUEST_ID.reset(context)
    assert told == "request"
    assert lines == [
        {
            "event": "consent_given",
            "log_level": "info",
            "client_id": "c",
            "user_id": "u",
            "grant": "f",
            "address": ADDRESS,
            "scope": "query",
        }
    ]
    assert await kept(store) == []
    assert await trail.flush()
    (event,) = await kept(store)
    assert (event.name, event.flow_id, event.request_id) == (EventName.CONSENT_GIVEN, "f", "request")
    assert (event.client_id, event.user_id, event.address) == ("c", "u", ADDRESS)
    assert event.facts == {"scope": "query"}


async def test_events_are_written_by_themselves(store: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_trail, "INTERVAL_SECONDS", 0.01)
    trail = trail_over(store)
    async with running(trail):
        for number in range(3):
            sign_in(trail, number)
            assert await next_batch(store) == [f"usr_{number}"]


@pytest.mark.parametrize("reason", [Reason.CODE_REUSED, Reason.REFRESH_TOKEN_STOLEN])
async def test_an_alarm_waits_for_nothing(store: Faulty, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other events would wait for an hour here."""
    monkeypatch.setattr(audit_trail, "INTERVAL_SECONDS", 3600.0)
    trail = trail_over(store)
    async with running(trail):
        sign_in(trail)
        await asyncio.sleep(0)
        with capture_logs() as lines:
            trail.record(EventName.REFUSED, flow_id="f", client_id="c", user_id="u", address=ADDRESS, reason=reason)
        assert await next_batch(store) == ["usr_0", "u"]
    assert [(line["log_level"], line["alarm"], line["reason"]) for line in lines] == [("error", True, reason)]
    assert [event.is_alarm for event in await kept(store)] == [False, True]


async def test_what_is_recorded_while_the_store_is_away_is_written_when_it_is_back(store: Faulty) -> None:
    trail = trail_over(store)
    store.is_away = True
    for number in range(300):
        sign_in(trail, number)
        if number % 100 == 0:
            assert not await trail.flush()
    store.is_away = False
    assert await trail.flush()
    assert [event.user_id for event in await kept(store)] == [f"usr_{number}" for number in range(300)]


async def test_what_is_lost_is_told_where_it_is_missing(store: Faulty) -> None:
    trail = trail_over(store)
    store.is_away = True
    for number in range(MOST_WAITING + 7):
        sign_in(trail, number)
    store.is_away = False
    assert await trail.flush()
    first, *rest = await kept(store)
    assert (first.name, first.facts) == (EventName.AUDIT_GAP, {"count": 7})
    assert [event.user_id for event in rest] == [f"usr_{number}" for number in range(7, MOST_WAITING + 7)]


async def test_a_batch_whose_answer_was_lost_is_there_once(store: Faulty) -> None:
    trail, other = trail_over(store), trail_over(store)
    sign_in(trail, 1)
    store.loses_answers = True
    assert not await trail.flush()
    store.loses_answers = False
    sign_in(other, 2)
    assert await other.flush()
    sign_in(trail, 3)
    assert await trail.flush()
    assert [event.user_id for event in await kept(store)] == ["usr_1", "usr_2", "usr_3"]


async def test_several_processes_write_one_trail(store: Faulty) -> None:
    trails = [trail_over(store) for _ in range(5)]
    for turn in range(10):
        for number, trail in enumerate(trails):
            sign_in(trail, 10 * turn + number)
        assert await asyncio.gather(*(trail.flush() for trail in trails)) == [True] * 5
    assert len(await kept(store)) == 50


async def test_nobody_fills_the_store(store: Faulty) -> None:
    """One person's flood takes nothing from the others, and is counted."""
    trail = trail_over(store)
    for _ in range(1000):
        sign_in(trail, 1)
    for _ in range(4000):
        trail.record(EventName.REFUSED, client_id="whoever", address=ADDRESS, reason=Reason.UNKNOWN_CLIENT)
    sign_in(trail, 2)
    trail.record(EventName.AUTHORIZATION_STARTED, address="")
    assert await trail.flush()
    events = await kept(store)
    counts = {
        (event.facts["of"], event.user_id): event.facts["count"]
        for event in events
        if event.name is EventName.AUDIT_COUNTED
    }
    assert counts == {("signed_in", "usr_1"): 400, ("refused", ""): 1000}
    signed_in = [event.user_id for event in events if event.name is EventName.SIGNED_IN]
    assert (signed_in.count("usr_1"), signed_in.count("usr_2")) == (600, 1)
    assert [event.name for event in events].count(EventName.AUTHORIZATION_STARTED) == 1


async def test_a_budget_comes_back_with_time(store: Faulty) -> None:
    clock = SettableClock()
    trail = StoreAuditTrail(store, clock, SystemEntropy())
    for _ in range(700):
        sign_in(trail)
    clock.time += 5
    for _ in range(700):
        sign_in(trail)
    assert await trail.flush()
    assert [event.name for event in await kept(store)].count(EventName.SIGNED_IN) == 650


async def test_what_is_left_is_written_at_the_end(store: Faulty) -> None:
    trail = trail_over(store)
    sign_in(trail)
    await trail.close()
    assert len(await kept(store)) == 1
    store.is_away = True
    sign_in(trail)
    with capture_logs() as lines:
        await trail.close()
    assert [(line["event"], line["count"]) for line in lines] == [("audit_gap", 1)]


async def test_without_retention_there_is_only_the_log(store: Faulty) -> None:
    trail = trail_over(store, keeps=False)
    with capture_logs() as lines:
        sign_in(trail)
    assert [line["event"] for line in lines] == ["signed_in"]
    assert await trail.flush()
    assert await kept(store) == []


async def test_what_stands_in_a_wrong_place_is_no_secret_in_the_trail(store: Faulty) -> None:
    """As a client id, a client may send what it likes; and what it sends may be long."""
    trail = trail_over(store)
    secret = f"cs_{'s' * 43}"
    trail.record(EventName.REFUSED, client_id=secret, address=ADDRESS, reason=Reason.UNKNOWN_CLIENT, path="/" + secret)
    trail.record(EventName.REFUSED, client_id="\ud800" * 5000, address=ADDRESS, reason=Reason.UNKNOWN_CLIENT)
    assert await trail.flush()
    events = await kept(store)
    assert secret not in repr(events)
    assert max(len(event.client_id) for event in events) == 200
