"""Warnings and plans tell of indexes that would take less, beside what is read instead."""

from typing import Any

import pytest

from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

ORDERS = 1_200


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    indexes = (HeldIndex("by_status", (("status", "S"), ("paid", "S"))),)
    await service.tables.create("unu_orders", (("customer", "S"), ("day", "S")), indexes)
    await service.put("unu_orders", [order(number) for number in range(ORDERS)])
    await service.tables.create("unu_wanted", (("id", "S"),))
    await service.put(
        "unu_wanted",
        [
            {"id": {"S": f"w{number}"}, "customer": {"S": f"c{number}"}, "by": {"S": f"b{number}"}}
            for number in range(3)
        ],
    )


def order(number: int) -> dict[str, Any]:
    """One of 20 orders of each of 60 customers; a few have no `paid`."""
    return {
        "customer": {"S": f"c{number % 60}"},
        "day": {"S": f"2024-{number // 60 % 12 + 1:02}-{number // 60:02}"},
        "status": {"S": f"open{number % 40}"},
        "about": {"S": "x" * 1_000},
    } | ({"paid": {"S": "2024"}} if number % 30 else {})


@pytest.mark.parametrize(
    ("condition", "way"),
    [
        ("customer IN ('c1', 'c2', 'c3')", 'was read by its partition key. Index "by_status"'),
        ("day > '2'", 'was scanned. Index "by_status"'),
    ],
)
async def test_a_warning_says_how_the_table_was_read(service: Service, condition: str, way: str) -> None:
    result = await service.run(f"SELECT day FROM unu_orders WHERE {condition} AND status = 'open1'")

    [warning] = result.warnings
    assert warning.startswith(f'Table "unu_orders" {way}')


async def test_a_warning_of_a_read_by_keys_that_rows_name_is_of_what_it_takes(service: Service) -> None:
    """An index saves something beside the scan of the table, and nothing beside five items."""
    join = "FROM unu_wanted w JOIN unu_orders o ON o.customer = w.customer AND o.day = '2024-01-00'"

    sql = f"SELECT o.day {join} WHERE o.status = 'open1'"
    [_, orders] = (await service.queries().explain_sql(ANN, sql=sql)).reads
    result = await service.run(sql)

    assert orders.key_condition == "customer IN (the values of customer in unu_wanted) AND day = '2024-01-00'"
    assert (orders.access, orders.residual_filters) == ("GetItem", ("status = 'open1'",))

    assert (len(result.rows), result.statistics.items_read) == (1, 6)
    assert result.warnings == ()


async def test_a_warning_reckons_with_the_rows_that_a_condition_leaves_to_name_keys(service: Service) -> None:
    """Of the partitions of all rows the index would be less, and of that of one row it is not."""
    join = "FROM unu_wanted w JOIN unu_orders o ON o.customer = w.customer WHERE o.status = 'open1'"

    [warning] = (await service.run(f"SELECT o.day {join}")).warnings
    assert warning.startswith('Table "unu_orders" was read by its partition key. Index "by_status"')
    assert (await service.run(f"SELECT o.day {join} AND w.by = 'b1'")).warnings == ()
