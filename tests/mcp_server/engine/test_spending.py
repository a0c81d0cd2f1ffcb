"""What a principal's queries may read in an hour, and that a scan which is known to be too much does not begin."""

from dataclasses import replace

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.engine.spending import HOUR, Spending
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
    assert "expected to read 41" in caught.value.message
    assert account.spent == 60.0


def test_many_principals_take_bounded_room() -> None:
    spending = Spending(SettableClock(), 1.0)
    for number in range(20_000):
        spending.account(replace(ANN, subject=f"usr_{number}")).spend(1.0)
    assert len(spending._accounts) == 10_000


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
