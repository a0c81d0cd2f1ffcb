"""What a principal's queries may read in an hour, and that a scan which is known to be too much does not begin."""

from dataclasses import replace

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import HourSpent
from mcp_server.engine.spending import HOUR, STALE_SECONDS, Spending
from tests.mcp_server.doubles.ledger import HeldBook, HeldLedger
from tests.mcp_server.engine.conftest import ANN, Service
from tests.support.clock import SettableClock

BOB = replace(ANN, subject="usr_bob")


def test_what_was_read_counts_for_an_hour() -> None:
    clock = SettableClock()
    spending = Spending(clock, 100.0)
    spending.account(ANN).spend(60.0)
    clock.time += HOUR / 2
    spending.account(ANN).spend(50.0)
    with pytest.raises(Failure) as caught:
        spending.account(ANN).check()
    assert caught.value.code is FailureCode.BUDGET_EXCEEDED
    assert caught.value.retry_after_seconds is not None
    assert HOUR / 2 <= caught.value.retry_after_seconds <= HOUR / 2 + 60
    spending.account(BOB).check()
    clock.time += caught.value.retry_after_seconds
    spending.account(ANN).check()
    assert spending.account(ANN).spent == 50.0


def test_what_is_expected_counts_before_it_is_read() -> None:
    account = Spending(SettableClock(), 100.0).account(ANN)
    account.spend(60.0)
    account.check(40.0)
    with pytest.raises(Failure) as caught:
        account.check(41.0)
    assert caught.value.fact == HourSpent(spent=60.0, expected=41.0, most=100.0)
    assert account.spent == 60.0


def test_many_principals_take_bounded_room() -> None:
    spending = Spending(SettableClock(), 1.0)
    for number in range(20_000):
        spending.account(replace(ANN, subject=f"usr_{number}")).spend(1.0)
    assert len(spending._accounts) == 10_000


async def two(clock: SettableClock, book: HeldBook, limit: float = 100.0) -> tuple[Spending, Spending]:
    """Two replicas."""
    return Spending(clock, limit, HeldLedger(book)), Spending(clock, limit, HeldLedger(book))


@pytest.mark.anyio
async def test_what_was_read_on_another_replica_counts_too() -> None:
    clock, book = SettableClock(), HeldBook()
    one, other = await two(clock, book)
    (await one.current(ANN)).spend(70.0)
    await one.exchange()
    account = await other.current(ANN)
    assert account.spent == 70.0
    account.spend(40.0)
    with pytest.raises(Failure) as caught:
        account.check()
    assert caught.value.retry_after_seconds is not None
    assert HOUR <= caught.value.retry_after_seconds <= HOUR + 60
    (await other.current(BOB)).check(100.0)
    clock.time += caught.value.retry_after_seconds
    account.check(100.0)


@pytest.mark.anyio
async def test_what_others_read_meanwhile_is_heard_of_during_a_query() -> None:
    clock, book = SettableClock(), HeldBook()
    one, other = await two(clock, book)
    running = await one.current(ANN)
    elsewhere = await other.current(ANN)
    elsewhere.spend(101.0)
    running.check()
    await other.exchange()
    running.check()
    await one.exchange()
    with pytest.raises(Failure):
        running.check()
    elsewhere.spend(1.0)
    await other.exchange()
    await one.exchange()
    assert running.spent == 101.0, "nobody uses it, so nobody asks"
    assert (await one.current(ANN)) is running
    await one.exchange()
    assert running.spent == 102.0


@pytest.mark.anyio
async def test_who_was_not_heard_of_for_a_minute_is_asked_about_before_they_begin() -> None:
    clock, book = SettableClock(), HeldBook()
    ledger = HeldLedger(book)
    one, other = Spending(clock, 100.0, ledger), Spending(clock, 100.0, HeldLedger(book))
    for _ in range(5):
        await one.current(ANN)
    assert ledger.exchanges == 1
    (await other.current(ANN)).spend(5.0)
    await other.exchange()
    clock.time += STALE_SECONDS + 1
    assert (await one.current(ANN)).spent == 5.0
    assert ledger.exchanges == 2


@pytest.mark.anyio
async def test_while_the_ledger_is_away_each_counts_its_own_and_does_not_wait() -> None:
    clock, book = SettableClock(), HeldBook()
    ledger = HeldLedger(book)
    one, other = Spending(clock, 100.0, ledger), Spending(clock, 100.0, HeldLedger(book))
    (await other.current(ANN)).spend(50.0)
    await other.exchange()
    assert (await one.current(ANN)).spent == 50.0
    book.away = True
    (await one.current(ANN)).spend(10.0)
    await one.exchange()
    asked = ledger.exchanges
    clock.time += STALE_SECONDS + 1
    assert (await one.current(ANN)).spent == 60.0, "what was heard counts until its hour is over"
    assert (await one.current(BOB)).spent == 0.0
    assert ledger.exchanges == asked
    book.away = False
    await one.exchange()
    (await other.current(ANN)).check(40.0)
    await other.exchange()
    assert (await other.current(ANN)).spent == 60.0


@pytest.mark.anyio
async def test_many_principals_take_bounded_room_while_the_ledger_is_away() -> None:
    book = HeldBook()
    one, _ = await two(SettableClock(), book)
    book.away = True
    for number in range(10_100):
        one.account(replace(ANN, subject=f"usr_{number}")).spend(1.0)
        if number % 1000 == 0:
            await one.exchange()
    assert len(one._used) == len(one._accounts) == 10_000


@pytest.mark.anyio
async def test_a_restarted_replica_hears_of_its_past() -> None:
    clock, book = SettableClock(), HeldBook()
    one, _ = await two(clock, book)
    (await one.current(ANN)).spend(99.0)
    await one.exchange()
    again, _ = await two(clock, book)
    assert (await again.current(ANN)).spent == 99.0


@pytest.mark.anyio
async def test_of_a_wrong_clock_no_more_than_an_hour_is_believed() -> None:
    """One's own wall clock may jump, too; what was read here is measured without it."""
    book, clock, ahead = HeldBook(), SettableClock(), SettableClock()
    ahead.wall += 86_400
    one, other = Spending(clock, 100.0, HeldLedger(book)), Spending(ahead, 100.0, HeldLedger(book))
    (await other.current(ANN)).spend(50.0)
    await other.exchange()
    account = await one.current(ANN)
    assert account.spent == 50.0
    account.spend(1.0)
    clock.wall -= 86_400
    assert account.spent == 51.0
    clock.time += HOUR + 61
    assert account.spent == 0.0


@pytest.fixture(scope="module")
async def tables(service: Service) -> None:
    items = [{"pk": {"S": f"k{number}"}, "t": {"S": "x" * 4000}} for number in range(400)]
    await service.create("spd_wide", items)


@pytest.mark.complaint(6)
@pytest.mark.anyio
async def test_an_exhausted_hour_ends_a_query_after_the_response_that_exhausts_it(
    service: Service, tables: None
) -> None:
    queries = service.queries(read_units_per_hour=120.0)
    listed = "SELECT pk FROM spd_wide"
    for _ in range(2):
        await queries.run_sql(ANN, sql=listed, max_rows=100)
    with pytest.raises(Failure) as caught:
        await queries.run_sql(ANN, sql=listed, max_rows=100)
    assert caught.value.code is FailureCode.BUDGET_EXCEEDED
    assert caught.value.retry_after_seconds is not None
    with pytest.raises(Failure):
        await queries.run_sql(ANN, sql="SELECT 1 FROM spd_wide WHERE pk = 'k1'")
    await service.queries().run_sql(ANN, sql=listed, max_rows=100)  # another process's account
    assert (await queries.run_sql(BOB, sql="SELECT pk FROM spd_wide", max_rows=5)).rows
