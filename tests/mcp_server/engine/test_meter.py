"""What a query consumes, and where its budget ends."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import BudgetSpent, BudgetTooSmallForRead, Counted
from mcp_server.domain.failures.scans import LargeTable, ScanForKeys, ScanWentOn
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.planning.plan import Estimate, Read
from mcp_server.ports.items import Consumption
from tests.mcp_server.adapters.relations import relation

LIMITS = Limits(read_units=100, read_pages=10, read_bytes=1000, full_scan_items=50)


def read(access: Any = "Query", units: float = 0.0) -> Read:
    """A read of a table of nothing in particular, which is estimated to take so many read units."""
    return Read(
        relation=relation([]),
        access=access,
        index=None,
        reason="",
        requests=(),
        key_condition=None,
        pushed_filters=(),
        residual_filters=(),
        estimate=Estimate(0, 0, units, 0.0),
    )


def test_consumption_is_added_up() -> None:
    meter = Meter(LIMITS, max_read_units=None, allow_full_scan=False)
    for observe in (meter.observer(read()), meter.observer(read("Scan"))):
        observe(Consumption(items=1, scanned=20, bytes=30, read_units=0.5))
    assert (meter.items, meter.pages, meter.bytes, meter.read_units) == (2, 2, 60, 1.0)


@pytest.mark.parametrize(
    ("one", "times", "max_read_units"),
    [
        (Consumption(0, 0, 0, 34.0), 3, None),
        (Consumption(0, 0, 0, 34.0), 1, 33.0),
        (Consumption(0, 0, 0, 34.0), 3, 1_000_000.0),
        (Consumption(0, 0, 0, 0.0), 11, None),
        (Consumption(0, 0, 300, 0.0), 4, None),
    ],
)
def test_a_budget_is_exceeded_by_what_was_observed(one: Consumption, times: int, max_read_units: float | None) -> None:
    """A caller can ask for less than the operator's bound, never for more."""
    meter = Meter(LIMITS, max_read_units=max_read_units, allow_full_scan=True)
    observe = meter.observer(read("Scan"))
    for _ in range(times - 1):
        observe(one)
    with pytest.raises(Failure) as raised:
        observe(one)
    assert raised.value.code is FailureCode.BUDGET_EXCEEDED


def test_a_scan_that_turns_out_large_is_stopped_unless_it_was_asked_for() -> None:
    page = Consumption(items=0, scanned=30, bytes=1, read_units=0.5)
    refused = Meter(LIMITS, max_read_units=None, allow_full_scan=False)
    first, second = refused.observer(read("Scan")), refused.observer(read("Scan"))
    first(page)
    second(page)  # another relation's items do not count
    with pytest.raises(Failure) as raised:
        first(page)
    assert raised.value.code is FailureCode.FULL_SCAN_REFUSED
    for meter, access in ((Meter(LIMITS, max_read_units=None, allow_full_scan=True), "Scan"), (refused, "Query")):
        observe = meter.observer(read(access))
        for _ in range(3):
            observe(page)


@pytest.mark.parametrize(
    ("access", "units", "refused"),
    [
        ("GetItem", 60.0, False),
        ("GetItem", 61.0, True),
        ("Scan", 61.0, True),
        ("Query", 61.0, False),
        ("Query", 241.0, True),
    ],
)
def test_a_mean_refuses_only_what_exceeds_the_budget_by_far(access: str, units: float, refused: bool) -> None:
    """What single keys and whole tables take is known; of the partitions that rows name only a mean is."""
    meter = Meter(LIMITS, max_read_units=None, allow_full_scan=False)
    meter.observer(read())(Consumption(0, 0, 0, 40.0))
    if not refused:
        meter.ask(read(access, units))
        return
    with pytest.raises(Failure) as raised:
        meter.ask(read(access, units))
    assert isinstance(raised.value.fact, BudgetTooSmallForRead)


@pytest.mark.parametrize(
    ("unit", "units", "expected"), [("read units", 241.0, 241.0), ("read units", 30.0, 0.0), ("pages", 241.0, 0.0)]
)
def test_a_spent_budget_tells_what_it_would_have_to_be_and_what_is_scanned(
    unit: Counted, units: float, expected: float
) -> None:
    """Unless more than that was read already."""
    meter = Meter(LIMITS, max_read_units=None, allow_full_scan=True)
    meter.observer(read())(Consumption(0, 0, 0, 40.0))
    told = meter.all_told(Failure(BudgetSpent(1.0, 0.5, unit, 60.0)), [read("Scan", units)]).fact
    assert isinstance(told, BudgetSpent)
    assert told.expected == expected
    assert [table.name for table in told.scanned] == [read().relation.table.name]
    went_on = meter.all_told(Failure(ScanWentOn(LargeTable("t"), 1)), [read("Scan", units)])
    assert went_on.fact == ScanWentOn(LargeTable("t"), 1, spent=40.0)
    other = Failure(ScanForKeys(LargeTable("t")))
    assert meter.all_told(other, [read("Scan", units)]) is other
