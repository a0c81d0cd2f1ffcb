"""How tables are read follows from what reads took, where that is far from what the sample told."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.restriction import AllowedValues, Restriction
from mcp_server.domain.schema import Index, KeyAttribute, Table
from mcp_server.engine.observations import digest_of
from mcp_server.engine.table_sizes import FIGURE_SECONDS, PARTITIONS, TableSizes
from mcp_server.planning.observed import Took
from mcp_server.sql.tables import TableName
from tests.mcp_server.adapters.relations import S, table
from tests.mcp_server.engine.conftest import ANN, Service, only_real
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

KIND = Index("by_kind", "GSI", (KeyAttribute("kind", S),), (), frozenset(), partition_items=10.0)
SAMPLED = table([], indexes=(KIND,), item_count=1000, size_bytes=100_000, partition_items=2.0)


def handed(sizes: TableSizes, sampled: Table = SAMPLED) -> Table:
    name = TableName(None, "things")
    return sizes.sized({name: sampled})[name]


def read(sizes: TableSizes, *partitions: float, first: int = 0, of: Table = SAMPLED) -> None:
    for number, items in enumerate(partitions):
        sizes.queried(of, "by_kind", digest_of(first + number), items)


async def test_a_table_stays_the_same_object_while_nothing_is_off_by_more_than_two() -> None:
    sizes = TableSizes(SettableClock())
    read(sizes, 18, 22, 15, 12)
    sizes.scanned(SAMPLED, Took(1900, 1, 25))
    assert handed(sizes) is SAMPLED
    sizes.scanned(SAMPLED, Took(2100, 1, 25))
    grown = handed(sizes)
    assert (grown.item_count, grown.size_bytes) == (2100, 210_000)
    sizes.scanned(SAMPLED, Took(4000, 1, 25))
    assert handed(sizes) is grown


async def test_the_mean_comes_to_be_that_of_the_partitions_that_are_read() -> None:
    sizes = TableSizes(SettableClock())
    read(sizes, *[1000] * 8)
    [index] = handed(sizes).indexes
    assert index.partition_items == pytest.approx(1000)
    assert handed(sizes).partition_items == 2.0


async def test_one_large_partition_changes_the_mean_little_however_often_it_is_read() -> None:
    sizes = TableSizes(SettableClock())
    for _ in range(50):
        read(sizes, 100_000)
    [index] = handed(sizes).indexes
    assert index.partition_items == pytest.approx(10 * 10_000 ** (1 / 8))


async def test_partitions_without_items_are_none() -> None:
    sizes = TableSizes(SettableClock())
    read(sizes, *[0] * 1000)
    assert handed(sizes) is SAMPLED


async def test_the_partitions_read_last_count() -> None:
    sizes = TableSizes(SettableClock())
    read(sizes, *[100_000] * 1000)
    read(sizes, *[10] * PARTITIONS, first=1000)
    assert handed(sizes) is SAMPLED


async def test_a_scan_counts_until_dynamodb_has_counted_itself() -> None:
    clock = SettableClock()
    sizes = TableSizes(clock)
    for _ in range(2):
        sizes.scanned(handed(sizes), Took(9000, 1, 120))
    assert handed(sizes).item_count == 9000
    assert handed(sizes, replace(SAMPLED, refreshed_at=1.0)).item_count == 9000
    counted_anew = replace(SAMPLED, item_count=40)
    assert handed(sizes, counted_anew) is counted_anew
    clock.time += FIGURE_SECONDS + 1
    sampled_anew = replace(SAMPLED, refreshed_at=2.0)
    assert handed(sizes, sampled_anew) is sampled_anew


async def test_a_scan_that_takes_far_more_than_the_items_should_tells_their_size() -> None:
    sizes = TableSizes(SettableClock())
    sizes.scanned(SAMPLED, Took(1000, 10, 1000))
    assert handed(sizes).size_bytes == 1000 * 2 * 4096


async def test_callers_who_see_a_table_otherwise_are_taught_apart() -> None:
    sizes = TableSizes(SettableClock())
    seen = replace(SAMPLED, restriction=Restriction(hidden=frozenset({"card"})))
    some = replace(SAMPLED, restriction=Restriction(rows=(AllowedValues("of", frozenset({"me"})),)))
    sizes.scanned(SAMPLED, Took(9000, 1, 120))
    assert handed(sizes, seen) is seen
    assert handed(sizes, some) is some
    sizes.scanned(seen, Took(9000, 1, 120))
    assert handed(sizes, seen).item_count == 9000


@only_real
async def test_a_wrong_sample_is_set_right_by_use(service: Service) -> None:
    """It shows partitions of two items, of which those that are asked for have four hundred."""
    client = service.tables.client  # type: ignore[attr-defined] # of the emulator
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "kind")]
    await client.create_table(
        TableName="siz_kinds",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )

    def items(kind: int, first: int, count: int) -> list[dict[str, Any]]:
        numbers = range(first, first + count)
        more = {"kind": {"S": f"k{kind}"}, "about": {"S": "x" * 100}}
        return [{"pk": {"S": f"{kind}/{n}"}, "size": {"N": str(n)}, **more} for n in numbers]

    await service.put("siz_kinds", [one for kind in range(100) for one in items(kind, 0, 2)])
    asked = "SELECT sum(size) FROM siz_kinds WHERE kind = 'k{}' AND kind IS NOT NULL"
    queries = service.queries()
    explained = await queries.explain_sql(ANN, sql=asked.format(50))
    assert [(one.access, one.index) for one in explained.reads] == [("Query", "by_kind")]
    await service.put("siz_kinds", [one for kind in range(12) for one in items(kind, 2, 400)])

    took = []
    for kind in range(12):
        result = await queries.run_sql(ANN, sql=asked.format(kind))
        assert result.rows == [[sum(range(402))]]
        took.append(result.statistics.read_units)
    assert took[0] > 200, took
    assert took[-1] < took[0] / 2
    explained = await queries.explain_sql(ANN, sql=asked.format(50))
    assert [one.access for one in explained.reads] == ["Scan"]
