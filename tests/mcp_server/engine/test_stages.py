"""Tables are read by the keys that the rows of others name, over doubles and over the emulator."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import BudgetTooSmallForRead
from mcp_server.domain.schema import TypeKind
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.engine.sharing import sources
from mcp_server.engine.stages import HELD_BYTES, Intakes
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Conjunct, KeyLink, KeySource, Read, Relation
from mcp_server.planning.predicate import Comparison
from mcp_server.planning.stages import staged
from tests.mcp_server.adapters.relations import S, column, of, table
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

CUSTOMERS = 600
JOIN = "FROM stg_orders o JOIN stg_customers c ON o.customer = c.pk WHERE o.pk = 'o1'"


@pytest.fixture(scope="module")
async def shop(service: Service) -> Service:
    customers = [
        {"pk": {"S": f"c{number}"}, "name": {"S": f"name {number}"}, "about": {"S": "x" * 400}}
        for number in range(CUSTOMERS)
    ]
    orders: list[dict[str, Any]] = [
        {"pk": {"S": "o1"}, "n": {"N": str(number)}, "customer": {"S": f"c{number % 5}"}} for number in range(20)
    ]
    orders += [{"pk": {"S": "o1"}, "n": {"N": "20"}}, {"pk": {"S": "o1"}, "n": {"N": "21"}, "customer": {"S": "none"}}]
    orders += [
        {"pk": {"S": "all"}, "n": {"N": str(number)}, "customer": {"S": f"c{number}"}} for number in range(CUSTOMERS)
    ]
    await service.create("stg_customers", customers)
    await service.create("stg_orders", orders, range_key="n")
    return service


async def test_only_the_items_that_rows_name_are_read(shop: Service) -> None:
    result = await shop.run(f"SELECT o.n, c.name {JOIN} ORDER BY 1")

    assert result.rows == [[number, f"name {number % 5}"] for number in range(20)]
    assert result.statistics.items_read == 22 + 5


async def test_a_left_join_keeps_rows_that_name_no_item(shop: Service) -> None:
    result = await shop.run(f"SELECT o.n, c.name {JOIN.replace('JOIN', 'LEFT JOIN')} AND o.n > 18 ORDER BY 1")

    assert result.rows == [[19, "name 4"], [20, None], [21, None]]
    assert result.statistics.items_read == 3 + 1


async def test_a_subquery_names_keys(shop: Service) -> None:
    result = await shop.run(
        "SELECT name FROM stg_customers WHERE pk IN (SELECT customer FROM stg_orders WHERE pk = 'o1' AND n < 2)"
    )

    assert sorted(result.rows) == [["name 0"], ["name 1"]]
    assert result.statistics.items_read == 2 + 2


async def test_rows_of_several_reads_name_keys(shop: Service) -> None:
    orders = "SELECT customer FROM stg_orders WHERE pk = 'o1' AND n"
    result = await shop.run(f"SELECT name FROM stg_customers WHERE pk IN ({orders} < 2 UNION {orders} IN (6, 7, 21))")

    assert sorted(result.rows) == [["name 0"], ["name 1"], ["name 2"]]
    assert result.statistics.items_read == 2 + 3 + 3


async def test_a_table_is_scanned_where_rows_of_one_read_name_most_of_its_keys(shop: Service) -> None:
    orders = "SELECT customer FROM stg_orders WHERE pk"
    result = await shop.run(f"SELECT count(*) FROM stg_customers WHERE pk IN ({orders} = 'o1' UNION {orders} = 'all')")

    assert result.rows == [[CUSTOMERS]]
    assert result.statistics.items_read == 22 + 2 * CUSTOMERS


async def test_nothing_is_read_where_no_row_names_a_key(shop: Service) -> None:
    result = await shop.run(f"SELECT c.name {JOIN} AND o.n = 20")

    assert (result.rows, result.statistics.items_read) == ([], 1)


async def test_a_table_most_of_whose_keys_are_named_is_scanned(shop: Service) -> None:
    result = await shop.run(f"SELECT count(c.name) {JOIN.replace('o1', 'all')}")

    assert result.rows == [[CUSTOMERS]]
    assert result.statistics.items_read == 2 * CUSTOMERS


async def test_explain_says_what_names_the_keys(shop: Service) -> None:
    explained = await shop.queries().explain_sql(ANN, sql=f"SELECT o.n, c.name {JOIN}")

    customers = next(read for read in explained.reads if read.relation.table.name == "stg_customers")
    assert customers.access == "GetItem"
    assert customers.reason.startswith('The rows read of "stg_orders" name the primary keys to read.')
    assert customers.key_condition == "pk IN (the values of customer in stg_orders)"


async def test_explain_names_all_reads_whose_rows_name_keys(shop: Service) -> None:
    orders = "SELECT customer FROM stg_orders WHERE pk = 'o1' AND n"
    sql = (
        f"SELECT name FROM stg_customers WHERE pk IN ({orders} < 2 UNION SELECT name FROM stg_customers WHERE pk = 'x')"
    )
    explained = await shop.queries().explain_sql(ANN, sql=sql)

    waiting = next(read for read in explained.reads if read.stage is not None)
    assert waiting.reason.startswith('The rows read of "stg_orders" and "stg_customers" name the primary keys to read.')
    assert waiting.key_condition == "pk IN (the values of customer in stg_orders and name in stg_customers)"


async def test_the_budget_is_asked_again_between_stages(shop: Service) -> None:
    with pytest.raises(Failure) as raised:
        await shop.run(f"SELECT c.name {JOIN}", max_read_units=2.0)

    assert isinstance(raised.value.fact, BudgetTooSmallForRead)
    assert raised.value.fact.budget == 2.0 < raised.value.fact.expected


PK, X = column("pk", of(TypeKind.VARCHAR), S), column("x", of(TypeKind.VARCHAR), S)
SOURCE = table((PK, X), name="source", physical_name="source")
TARGET = replace(table((PK,), name="target", physical_name="target"), item_count=1_000_000)


def waiting() -> tuple[Read, ...]:
    narrow = (Conjunct("pk = 'a'", Comparison("pk", "=", "a"), True),)
    source = Relation("r0", SOURCE, (PK, X), narrow)
    target = Relation("r1", TARGET, (PK,), (), links=(KeyLink(("pk",), (KeySource("r0", ("x",)),)),))
    return staged([plan_read(one, consistent=False) for one in (source, target)])


class Reading:
    """Yields batches of the source, one of the target; remembers what was begun and what was ended."""

    def __init__(self, *batches: Sequence[str | None]) -> None:
        self._batches = batches
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.yielded = 0

    async def open(self, read: Read) -> AsyncGenerator[pa.RecordBatch]:
        name = read.relation.name
        self.begun.append(f"{name} {read.access}")
        try:
            for values in self._batches if name == "r0" else ([None],):
                self.yielded += 1
                names = [column.name for column in read.relation.columns]
                yield pa.record_batch([pa.array(values, pa.string())] * len(names), names=names)
        finally:
            self.ended.append(name)


def meter(*, allow_full_scan: bool) -> Meter:
    return Meter(Limits(read_units=1_000_000), max_read_units=None, allow_full_scan=allow_full_scan)


async def test_what_was_read_ahead_is_not_lost() -> None:
    reading = Reading(["a", None], ["b", "a"])

    async with Intakes(sources(waiting()), reading.open, meter(allow_full_scan=False)) as intakes:
        source, target = await intakes.opened()
        rows = [value async for batch in source.batches() for value in batch.column(0).to_pylist()]
        found = [batch async for batch in target.batches()]

    assert rows == ["a", None, "b", "a"]
    assert len(found) == 1
    assert reading.begun == ["r0 GetItem", "r1 GetItem"]


async def test_a_source_that_turns_out_large_is_not_held() -> None:
    large = "x" * (HELD_BYTES // 2)
    reading = Reading(*[[large]] * 9)

    async with Intakes(sources(waiting()), reading.open, meter(allow_full_scan=True)) as intakes:
        source, target = await intakes.opened()
        held = reading.yielded
        rows = [value async for batch in source.batches() for value in batch.column(0).to_pylist()]
        assert [batch async for batch in target.batches()]

    assert held == 1
    assert rows == [large] * 9
    assert reading.begun == ["r0 GetItem", "r1 Scan"]


async def test_a_large_scan_is_refused_where_keys_are_too_many() -> None:
    reading = Reading([f"k{number}" for number in range(1_001)])

    with pytest.raises(Failure) as raised:
        async with Intakes(sources(waiting()), reading.open, meter(allow_full_scan=False)) as intakes:
            await intakes.opened()

    assert raised.value.code is FailureCode.FULL_SCAN_REFUSED
    assert reading.begun == ["r0 GetItem"]
    assert reading.ended == ["r0"]
