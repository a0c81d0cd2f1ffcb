"""Which attributes are proposed as times, by their sampled values and their names."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from mcp_server.domain.instants import EPOCH
from mcp_server.domain.suggested_times import Sampled, suggested_times

DAYS = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(12)]


def counts(per_second: int) -> list[Decimal]:
    """The days as numbers since 1970."""
    return [Decimal((day - EPOCH) // timedelta(seconds=1) * per_second) for day in DAYS]


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("x", [day.isoformat() for day in DAYS], None),
        ("x", ["2026-01-01T10:00:00.123Z", "1969-01-01 10:00+02:00"], None),
        ("createdAt", counts(1), "s"),
        ("expires", [*counts(1), Decimal("1767225600.25")], "s"),
        ("TTL", counts(1)[:1], "s"),
        ("last_seen", counts(1_000), "ms"),
        ("x", counts(1_000), "ms"),
        ("x", counts(1_000_000), "us"),
    ],
)
def test_what_holds_nothing_but_times_is_proposed(name: str, values: Sampled, unit: str | None) -> None:
    """Our choice."""
    [time] = suggested_times({name: values})
    assert (time.attribute, time.unit, time.values) == (name, unit, len(values))
    if len(values) == len(DAYS):
        assert [time.first, time.last] == [(day - EPOCH) // timedelta(microseconds=1) for day in (DAYS[0], DAYS[-1])]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("created", []),
        ("created", ["2026-01-01T10:00:00"]),  # of which zone?
        ("created", ["2026-01-01"]),
        ("created", ["2026-01-01T10:00:00Z", "yesterday"]),
        ("created", ["2026-02-30T10:00:00Z"]),
        ("created", ["2026-01-01T10:00:00Z", None]),
        ("created", ["2026-01-01T10:00:00Z", *counts(1)]),
        ("created", [*counts(1), *counts(1_000)]),
        ("created", [*counts(1), Decimal(0)]),
        ("created", [Decimal(20260101)]),
        ("created", [Decimal("1e30")]),
        ("phone", counts(1)),
        ("barcode", [*counts(1_000), Decimal(4_006_381_333_931)]),
        ("barcode", counts(1_000)[:9]),
        ("status", counts(1)),
    ],
)
def test_what_may_be_something_else_is_not(name: str, values: Sampled) -> None:
    """Our choice: a declaration that one item breaks ends statements in an error."""
    assert suggested_times({name: values}) == ()
