"""Columns declared TIMESTAMPTZ hold the instants that items name, and nothing that is none becomes one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.adapters.decoding.item_decoding import FEW, PageDecoder
from mcp_server.domain.failures import Failure
from mcp_server.domain.instants import EPOCH, EpochUnit, first_number_of, instant_of_number, instant_of_text
from mcp_server.domain.schema import Column, ColumnType, Override, TypeKind
from tests.mcp_server.adapters.relations import N, S, column, page, relation

ISO = column("a", ColumnType(TypeKind.TIMESTAMPTZ), S)


def counted(unit: EpochUnit) -> Column:
    """A column of numbers of that unit."""
    return column("a", ColumnType(TypeKind.TIMESTAMPTZ, unit=unit), N)


def decoded(one: Column, values: list[dict[str, Any]]) -> list[datetime | None] | None:
    """The column's values, decoded both in pages of few items and of many; None if the page does not fit."""
    items = [{"pk": {"S": "k"}, "a": value} for value in values]
    times = FEW // len(items) + 1
    few, many = _decoded(one, items), _decoded(one, items * times)
    assert many == (None if few is None else few * times)
    return few


def _decoded(one: Column, items: list[dict[str, Any]]) -> list[datetime | None] | None:
    try:
        batch = PageDecoder(relation([one]), {"a": Override(type=one.type)}).decode(page(*items), len(items))
    except Failure:
        return None
    assert batch.schema.field(0).type == pa.timestamp("us", "UTC")
    return list(batch.column(0).to_pylist())


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00"),
        ("2026-03-01 10:00:00", "2026-03-01T10:00:00"),
        ("2026-03-01", "2026-03-01T00:00:00"),
        ("2026-03-01T10:00Z", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00.123+02:00", "2026-03-01T08:00:00.123"),
        ("2026-03-01T10:00:00.123456789-0530", "2026-03-01T15:30:00.123456"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999"),
    ],
)
def test_texts_are_instants_of_utc(text: str, utc: str) -> None:
    assert decoded(ISO, [{"S": text}]) == [datetime.fromisoformat(utc).replace(tzinfo=UTC)]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        found = connection.execute("SELECT epoch_us(CAST(? AS TIMESTAMPTZ))", [text]).fetchall()
    assert found == [(instant_of_text(text),)]


OTHERS = (
    *("", "2026", "2026-3-1", "2026-03-01T", "2026-03-01Z", "2026-02-30", "2026-03-01T24:00:00Z"),
    *("2026-03-01T10:00:60Z", "2026-03-01T10:00:00+24:00", "2026-03-01T10:00:00+0260", "2026-03-01T10:00:00.Z"),
    *(" 2026-03-01", "2026-03-01\n", "0000-12-31T23:00:00-02:00", "0001-01-01T00:00:00+00:01"),
    *("9999-12-31T23:59:59-00:01", "٢٠٢٦-٠٣-٠١", "infinity"),
)


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_do_not_fit(text: str) -> None:
    assert decoded(ISO, [{"S": text}]) is None
    assert decoded(ISO, [{"S": "2026-03-01T10:00:00Z"}, {"S": text}]) is None


@given(
    st.text("0123456789-:.TZ+ ", max_size=12).map("2026-03-01T10:00:00".__add__)
    | st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]"
        r"([T ][0-2][0-9](:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
    )
)
def test_both_ways_to_decode_agree(text: str) -> None:
    found = decoded(ISO, [{"S": text}])

    expected = instant_of_text(text)
    assert found == (None if expected is None else [EPOCH + timedelta(microseconds=expected)])


@pytest.mark.parametrize(
    ("unit", "number", "utc"),
    [
        ("s", "1772359200", "2026-03-01T10:00:00"),
        ("s", "1772359200.1234569", "2026-03-01T10:00:00.123456"),
        ("s", "1.7723592E+9", "2026-03-01T10:00:00"),
        ("s", "-1", "1969-12-31T23:59:59"),
        ("s", "-0.0000001", "1969-12-31T23:59:59.999999"),
        ("s", "253402300799", "9999-12-31T23:59:59"),
        ("s", "-62135596800", "0001-01-01T00:00:00"),
        ("ms", "1772359200123", "2026-03-01T10:00:00.123"),
        ("ms", "0.0019", "1970-01-01T00:00:00.000001"),
        ("us", "1772359200123456", "2026-03-01T10:00:00.123456"),
        ("us", "1E-130", "1970-01-01T00:00:00"),
    ],
)
def test_numbers_count_since_1970(unit: EpochUnit, number: str, utc: str) -> None:
    assert decoded(counted(unit), [{"N": number}]) == [datetime.fromisoformat(utc).replace(tzinfo=UTC)]
    assert decoded(counted(unit), [{"N": "0"}, {"NULL": True}, {"N": number}]) is not None


@pytest.mark.parametrize("number", ["253402300800", "-62135596800.0000001", "1e100", "-9e125", "9223372036854775807"])
def test_numbers_beyond_the_calendar_do_not_fit(number: str) -> None:
    assert decoded(counted("s"), [{"N": number}]) is None


@pytest.mark.parametrize(
    ("one", "value"), [(ISO, {"N": "1"}), (counted("s"), {"S": "2026-03-01"}), (counted("ms"), {"BOOL": True})]
)
def test_values_of_another_kind_do_not_fit(one: Column, value: dict[str, Any]) -> None:
    assert decoded(one, [value]) is None
    seen = Column("a", one.type, one.attribute_types | {N, S})
    assert decoded(seen, [value]) is None


@given(
    st.decimals(Decimal("-62135596800"), Decimal("253402300799"), places=9),
    st.integers(-(10**17), 10**17),
    st.sampled_from(["s", "ms", "us"]),
)
def test_a_bound_parts_the_numbers_as_it_parts_their_instants(number: Decimal, bound: int, unit: EpochUnit) -> None:
    for one in (number, first_number_of(bound, unit), first_number_of(bound, unit) - Decimal("0.0000001")):
        instant = instant_of_number(Decimal(one), unit)
        if instant is not None:
            assert (one >= first_number_of(bound, unit)) == (instant >= bound)
