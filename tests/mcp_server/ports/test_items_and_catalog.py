"""The contracts of Catalog and ItemSource: over an emulator, and the doubles that cover the engine in fast tests."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal

import pyarrow as pa
import pytest

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import BudgetSpent
from mcp_server.domain.restriction import AllowedValues, Rows
from mcp_server.domain.schema import ColumnType, Override, Schema, Table, TypeKind
from mcp_server.planning.plan import Read
from mcp_server.ports.catalog import RECENT_SECONDS, Catalog, Refresh, Resample, Summaries
from mcp_server.ports.items import Consumption, ItemSource, Part, SchemaConflict, TableChanged
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.doubles.catalog import HeldCatalog, unpaid
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.stores import TablesInMemory, TableStore, tables_of_module
from tests.mcp_server.doubles.tables import HeldIndex
from tests.support.clock import SettableClock
from tests.support.emulator import Emulator

pytestmark = pytest.mark.anyio

KEY = (("pk", "S"), ("n", "N"))
OVERRIDES = {"ctr_declared": {"a": Override(type=ColumnType(TypeKind.BIGINT)), "b": Override(not_null=True)}}


@dataclass(frozen=True, slots=True)
class World:
    tables: TableStore
    catalog: Catalog
    items: ItemSource
    clock: SettableClock
    schema: Schema

    async def table(self, name: str) -> Table:
        """The table as the catalogue knows it now."""
        described = await self.catalog.describe(self.schema, name, "force")
        assert described is not None
        return described.table

    async def read(self, table: Table, sql: str) -> tuple[list[dict[str, object]], list[Consumption]]:
        """The rows of a statement's one relation, by the columns' names, and what was consumed."""
        read = planned(table, sql)
        consumed: list[Consumption] = []
        batches: list[pa.RecordBatch] = []
        async with aclosing(self.items.pages(self.schema, read, consumed.append)) as pages:
            async for page in pages:
                assert page.schema.equals(self.items.arrow_schema(read))
                batches.append(page)
        names = [column.name for column in read.relation.columns]
        rows = [row for batch in batches for row in batch.to_pylist()]
        return [dict(zip(names, row.values(), strict=False)) for row in rows], consumed


def planned(table: Table, sql: str) -> Read:
    statement = parse(sql, None)
    [read] = bind(statement, table.schema, dict.fromkeys(statement.tables, table)).reads(consistent=False)
    return read


@pytest.fixture(scope="module", params=["doubles", pytest.param("emulator", marks=pytest.mark.slow)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    clock = SettableClock()
    if request.param == "doubles":
        tables = TablesInMemory()
        schema = Schema("shop", "acme", "eu-central-1", "http://127.0.0.1:1", overrides=OVERRIDES)
        yield World(tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), clock, schema)
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    schema = Schema("shop", "acme", emulator.region, emulator.endpoint_url, overrides=OVERRIDES)
    async with (
        DynamoDbClients((schema,)) as clients,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
        tables_of_module(clients.of(schema)) as emulated,
    ):
        yield World(emulated, catalog, DynamoDbItems(clients), clock, schema)


@pytest.fixture(scope="module")
async def orders(world: World) -> Table:
    """Three customers with four orders each."""
    await world.tables.create("ctr_orders", KEY)
    await world.tables.put(
        "ctr_orders",
        [
            {"pk": {"S": f"c{customer}"}, "n": {"N": str(n)}, "total": {"N": f"{n}.25"}, "raw": {"B": b"\xff"}}
            for customer in range(3)
            for n in range(4)
        ],
    )
    return await world.table("ctr_orders")


async def test_a_recent_sample_does_for_whoever_asks_for_a_new_one(world: World) -> None:
    await world.tables.create("ctr_recent", (("pk", "S"),))
    await world.tables.put("ctr_recent", [{"pk": {"S": "a"}}])

    async def columns(refresh: Resample) -> tuple[list[str], bool]:
        described = await world.catalog.describe(world.schema, "ctr_recent", refresh)
        assert described is not None
        return [column.name for column in described.table.columns], described.refreshed

    assert await columns("recent") == (["pk"], True)
    await world.tables.put("ctr_recent", [{"pk": {"S": "b"}, "new": {"S": "x"}}])
    world.clock.time += RECENT_SECONDS - 1
    assert await columns("recent") == (["pk"], False)
    world.clock.time += 1
    assert await columns("recent") == (["pk", "new"], True)
    await world.tables.put("ctr_recent", [{"pk": {"S": "c"}, "newer": {"S": "x"}}])
    assert await columns("force") == (["pk", "new", "newer"], True)


async def test_a_table_is_described_by_its_items(world: World, orders: Table) -> None:
    assert [(key.name, key.type.value) for key in orders.key] == list(KEY)
    assert [(column.name, column.type.sql, column.nullable) for column in orders.columns] == [
        ("pk", "VARCHAR", False),
        ("n", "BIGINT", False),
        ("raw", "BLOB", True),
        ("total", "DECIMAL(38,2)", True),
    ]
    assert (orders.item_count, orders.refreshed_at) == (12, world.clock.now())
    summaries = await world.catalog.summaries(world.schema, ["ctr_orders", "ctr_nosuch"], "force")
    [summary] = summaries.tables
    assert not summaries.failures
    assert [column.name for column in summary.columns] == ["pk", "n"]
    assert await world.catalog.describe(world.schema, "ctr_nosuch", "if_stale") is None


async def test_what_is_known_is_kept_until_it_is_stale(world: World, orders: Table) -> None:
    listing = await world.catalog.list_tables(world.schema, "force")
    assert "ctr_orders" in listing.names
    assert list(listing.names) == sorted(listing.names)
    assert (listing.refreshed, listing.refreshed_at) == (True, world.clock.now())
    world.clock.time += world.catalog.stale_after_seconds - 1
    known = await world.catalog.describe(world.schema, "ctr_orders", "if_stale")
    assert known is not None
    assert (known.refreshed, known.table) == (False, orders)
    assert world.catalog.known(world.schema, "ctr_orders") is known.table
    assert world.catalog.known(world.schema, "ctr_nosuch") is None
    world.clock.time += 1
    assert world.catalog.known(world.schema, "ctr_orders") is None
    stale = await world.catalog.describe(world.schema, "ctr_orders", "skip")
    assert stale is not None
    assert not stale.refreshed
    fresh = await world.catalog.describe(world.schema, "ctr_orders", "if_stale")
    assert fresh is not None
    assert fresh.refreshed
    again = await world.catalog.list_tables(world.schema, "if_stale")
    assert again.refreshed


async def test_an_allow_list_hides_all_other_tables(world: World, orders: Table) -> None:
    narrow = replace(world.schema, name="narrow", tables=frozenset({"ctr_hidden"}))
    assert (await world.catalog.list_tables(narrow, "if_stale")).names == ("ctr_hidden",)
    assert await world.catalog.describe(narrow, "ctr_orders", "if_stale") is None
    assert world.catalog.known(replace(narrow, name=world.schema.name), "ctr_orders") is None
    assert await world.catalog.summaries(narrow, ["ctr_orders"], "if_stale") == Summaries(())


@pytest.mark.parametrize(
    ("sql", "access", "rows", "scanned", "units"),
    [
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' AND n = 2", "GetItem", 1, 1, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' AND n IN (0, 3, 7)", "GetItem", 2, 2, 1.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' AND n BETWEEN 1 AND 2", "Query", 2, 2, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' AND total > 2", "Query", 2, 4, 0.5),
        ("SELECT n, raw FROM ctr_orders WHERE n > 1", "Scan", 6, 12, 0.5),
        ("SELECT 1 FROM ctr_orders", "Scan", 12, 12, 0.5),
        ("SELECT pk, total FROM ctr_orders LIMIT 5", "Scan", 5, 5, 0.5),
        ("SELECT pk, total FROM ctr_orders LIMIT 5 OFFSET 20", "Scan", 12, 12, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' LIMIT 3", "Query", 3, 3, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk IN ('c1', 'c2') LIMIT 3", "Query", 8, 8, 1.0),
        ("SELECT max(n) FROM ctr_orders WHERE pk = 'c1' AND n < 3", "Query", 1, 1, 0.5),
        ("SELECT max(n) FROM ctr_orders WHERE pk = 'nosuch'", "Query", 0, 0, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'c1' ORDER BY total LIMIT 1", "Query", 4, 4, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'nosuch'", "Query", 0, 0, 0.5),
        ("SELECT total FROM ctr_orders WHERE pk = 'a' AND pk = 'b'", "None", 0, 0, 0.0),
    ],
)
async def test_requests_are_carried_out_and_measured(
    world: World, orders: Table, sql: str, access: str, rows: int, scanned: int, units: float
) -> None:
    large = replace(orders, item_count=1000, size_bytes=100_000)
    assert planned(large, sql).access == access
    found, consumed = await world.read(large, sql)
    assert len(found) == rows
    assert sum(response.items for response in consumed) == rows
    assert sum(response.scanned for response in consumed) == scanned
    assert sum(response.read_units for response in consumed) == units
    assert all(response.bytes > 0 for response in consumed)
    if "raw" in sql:
        assert {row["raw"] for row in found} == {b"\xff"}


@pytest.mark.parametrize(
    ("sql", "access", "expected", "scanned", "units"),
    [
        ("SELECT count(*) FROM ctr_orders", "Scan", 12, 12, 0.5),
        ("SELECT count(*) FROM ctr_orders WHERE n > 1", "Scan", 6, 12, 0.5),
        ("SELECT count(*) FROM ctr_orders WHERE pk = 'c1' AND n > 1", "Query", 2, 2, 0.5),
        ("SELECT count(*) FROM ctr_orders WHERE pk IN ('c1', 'c2', 'nosuch')", "Query", 8, 8, 1.5),
    ],
)
async def test_items_are_counted_without_being_sent(
    world: World, orders: Table, sql: str, access: str, expected: int, scanned: int, units: float
) -> None:
    read = planned(replace(orders, item_count=1000, size_bytes=100_000, partition_items=4.0), sql)
    consumed: list[Consumption] = []
    assert (read.access, read.counts) == (access, True)
    assert await world.items.count(world.schema, read, consumed.append) == expected
    assert sum(response.items for response in consumed) == expected
    assert sum(response.scanned for response in consumed) == scanned
    assert sum(response.read_units for response in consumed) == units
    assert all(0 < response.bytes < 300 for response in consumed)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT n FROM ctr_orders WHERE pk = 'c1' ORDER BY n LIMIT 2", [0, 1]),
        ("SELECT n FROM ctr_orders WHERE pk = 'c1' ORDER BY n DESC LIMIT 1 OFFSET 1", [3, 2]),
        ("SELECT n AS z FROM ctr_orders WHERE pk = 'c1' AND n > 1 ORDER BY z LIMIT 1", [2]),
        ("SELECT min(n) FROM ctr_orders WHERE pk = 'c1'", [0]),
        ("SELECT max(n) FROM ctr_orders WHERE pk = 'c1' AND n BETWEEN 0 AND 2", [2]),
    ],
)
async def test_the_ends_of_a_partition_are_read_alone(
    world: World, orders: Table, sql: str, expected: list[int]
) -> None:
    large = replace(orders, item_count=1000, size_bytes=100_000)

    found, consumed = await world.read(large, sql)

    assert [row["n"] for row in found] == expected
    assert [response.scanned for response in consumed] == [len(expected)]


@pytest.fixture(scope="module")
async def indexed(world: World) -> Table:
    """Three customers with eight orders each, of which some are in no index; larger, as far as it tells."""
    indexes = [
        HeldIndex("by_state", (("state", "S"), ("at", "N")), frozenset({"total"})),
        HeldIndex("by_kind", (("kind", "S"),), frozenset()),
    ]
    await world.tables.create("ctr_indexed", KEY, indexes)
    items: list[dict[str, dict[str, object]]] = []
    for number in range(24):
        item: dict[str, dict[str, object]] = {"pk": {"S": f"c{number % 3}"}, "n": {"N": str(number)}}
        item |= {"total": {"N": str(number)}, "note": {"S": f"note {number}"}}
        item |= {"state": {"S": "open" if number % 2 else "paid"}} if number % 4 else {}
        item |= {"at": {"N": str(100 - number)}} if number % 5 else {}
        item |= {"kind": {"S": "rare"}} if number in (3, 17) else {}
        items.append(item)
    await world.tables.put("ctr_indexed", items)
    return replace(await world.table("ctr_indexed"), item_count=10_000, size_bytes=10_000_000)


@pytest.mark.parametrize(
    ("sql", "index", "expected"),
    [
        ("SELECT n FROM ctr_indexed WHERE state = 'open' AND at > 90", "by_state", [9, 7, 3, 1]),
        ("SELECT n FROM ctr_indexed WHERE state = 'open' AND at > 90 AND total > 5", "by_state", [9, 7]),
        ("SELECT n FROM ctr_indexed WHERE state = 'paid' AND at > 80 ORDER BY at DESC LIMIT 2", "by_state", [2, 6]),
        ("SELECT n FROM ctr_indexed WHERE kind = 'rare'", "by_kind", [3, 17]),
        ("SELECT n, note FROM ctr_indexed WHERE kind = 'rare'", "by_kind", [3, 17]),
        ("SELECT n, note FROM ctr_indexed WHERE kind = 'none'", "by_kind", []),
    ],
)
async def test_an_index_holds_the_items_that_have_its_key(
    world: World, indexed: Table, sql: str, index: str, expected: list[int]
) -> None:
    by = tuple(replace(one, partition_items=4.0) for one in indexed.indexes)
    table = replace(indexed, indexes=by)
    assert planned(table, sql).index == index
    found, _consumed = await world.read(table, sql)
    numbers = [row["n"] for row in found]
    assert numbers == expected or (index == "by_kind" and set(numbers) == set(expected))
    assert len(numbers) == len(expected)
    if "note" in sql:
        assert [row["note"] for row in found] == [f"note {row['n']}" for row in found]


async def test_a_read_through_an_index_goes_on_behind_a_key(world: World, indexed: Table) -> None:
    by = tuple(replace(one, partition_items=4.0) for one in indexed.indexes)
    sql = "SELECT pk, n, at, state FROM ctr_indexed WHERE state = 'open' AND at > 0"
    read = planned(replace(indexed, indexes=by), sql)
    assert read.index == "by_state"
    found: list[int] = []
    after = None
    while True:
        stretch = await world.items.stretch(world.schema, read, 0, after, 3, lambda _: None)
        if stretch.items is not None:
            names = [column.name for column in read.relation.columns]
            found += stretch.items.column(names.index("n")).to_pylist()
        after = stretch.after
        if after is None:
            break
    assert found == [23, 21, 19, 17, 13, 11, 9, 7, 3, 1]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pk = 'c1'", [Part(0, begins=True, ends=True)]),
        ("pk IN ('c1', 'none')", [Part(0, begins=True, ends=True), Part(1, begins=True, ends=True)]),
        ("pk = 'c1' ORDER BY n LIMIT 2", [Part(0, begins=True, ends=False)]),
        ("pk = 'c1' AND total > 2", [Part(0, begins=True, ends=True)]),
        ("pk = 'c1' AND n = 1", [None]),
        ("total > 100", [Part(0, begins=True, ends=True)]),
    ],
)
async def test_each_response_tells_which_part_of_which_request_it_is(
    world: World, orders: Table, where: str, expected: list[Part | None]
) -> None:
    large = replace(orders, item_count=1000, size_bytes=100_000)
    _, consumed = await world.read(large, f"SELECT n FROM ctr_orders WHERE {where}")
    assert sorted((response.part for response in consumed), key=str) == sorted(expected, key=str)


async def test_a_stretch_begins_a_request_unless_it_goes_on(world: World, orders: Table) -> None:
    read = planned(replace(orders, item_count=1000), "SELECT n FROM ctr_orders WHERE pk = 'c1'")
    seen: list[Consumption] = []
    first = await world.items.stretch(world.schema, read, 0, None, 3, seen.append)
    await world.items.stretch(world.schema, read, 0, first.after, 3, seen.append)
    assert [one.part for one in seen] == [Part(0, begins=True, ends=False), Part(0, begins=False, ends=True)]


async def test_a_large_table_comes_in_pages_that_can_be_left(world: World) -> None:
    await world.tables.create("ctr_large", (("pk", "S"),))
    await world.tables.put("ctr_large", [{"pk": {"S": f"k{i}"}, "t": {"S": "x" * 4000}} for i in range(600)])
    table = await world.table("ctr_large")
    rows, consumed = await world.read(table, "SELECT pk, t FROM ctr_large")
    assert (len({row["pk"] for row in rows}), len(consumed)) == (600, 3)
    parts = [response.part for response in consumed]
    assert parts == [Part(0, begins=number == 0, ends=number == 2) for number in range(3)]
    seen: list[Consumption] = []
    read = planned(table, "SELECT pk, t FROM ctr_large")
    async with aclosing(world.items.pages(world.schema, read, seen.append)) as pages:
        async for page in pages:
            assert page.num_rows > 0
            break

    def enough(consumption: Consumption) -> None:
        raise Failure(BudgetSpent(2, 1, "pages", 1))

    pages = world.items.pages(world.schema, read, enough)
    with pytest.raises(Failure, match="BudgetSpent"):
        await anext(pages)


async def test_an_unexpected_type_is_a_conflict_that_can_be_learnt(world: World) -> None:
    await world.tables.create("ctr_learn", (("pk", "S"),))
    await world.tables.put("ctr_learn", [{"pk": {"S": "a"}, "v": {"N": "1"}}])
    table = await world.table("ctr_learn")
    await world.tables.put("ctr_learn", [{"pk": {"S": "b"}, "v": {"S": "text"}}])
    sql = "SELECT v FROM ctr_learn WHERE pk = 'b'"
    with pytest.raises(SchemaConflict) as conflict:
        await world.read(table, sql)
    assert conflict.value.columns == ("v",)
    await world.catalog.learn(conflict.value.table)
    described = await world.catalog.describe(world.schema, "ctr_learn", "if_stale")
    assert described is not None
    assert (await world.read(described.table, sql))[0] == [{"pk": "b", "v": "text"}]


async def test_who_sees_some_rows_has_a_sample_of_those(world: World) -> None:
    """What an attribute is called, and what type it has, is said by items that may not be there for somebody."""
    await world.tables.create("ctr_rows", (("pk", "S"),))
    await world.tables.put(
        "ctr_rows",
        [
            {"pk": {"S": "a"}, "of": {"S": "me"}, "v": {"N": "1"}},
            {"pk": {"S": "b"}, "of": {"S": "them"}, "v": {"S": "x"}, "w": {"BOOL": True}},
            {"pk": {"S": "c"}, "of": {"N": "5.0"}, "v": {"N": "2.5"}},
        ],
    )
    mine = (AllowedValues("of", frozenset({"me", "5"}), frozenset({Decimal(5)})),)

    async def columns(rows: Rows, refresh: Refresh = "if_stale") -> dict[str, str]:
        described = await world.catalog.describe(world.schema, "ctr_rows", refresh, rows)
        assert described is not None
        assert (described.table.rows, described.table.item_count) == (rows, 3)
        return {column.name: column.type.sql for column in described.table.columns}

    seen = {"pk": "VARCHAR", "of": "VARCHAR", "v": "DECIMAL(38,1)"}
    assert await columns(mine, "force") == seen
    assert await columns((), "force") == {**seen, "v": "VARCHAR", "w": "BOOLEAN"}
    assert await columns(mine) == seen
    assert await world.catalog.probe(world.schema, "ctr_rows", "w", unpaid)
    assert not await world.catalog.probe(world.schema, "ctr_rows", "w", unpaid, mine)
    await world.tables.put("ctr_rows", [{"pk": {"S": "d"}, "of": {"S": "me"}, "late": {"S": "x"}}])
    took: list[Consumption] = []
    assert await world.catalog.probe(world.schema, "ctr_rows", "late", took.append, mine)
    assert sum(one.scanned for one in took) == 4
    assert sum(one.read_units for one in took) >= 0.5
    assert await columns(mine) == {**seen, "late": "VARCHAR"}
    assert "late" not in await columns(())
    described = await world.catalog.describe(world.schema, "ctr_rows", "skip", mine)
    assert described is not None
    assert world.catalog.known(world.schema, "ctr_rows", mine) is described.table
    await world.catalog.learn(described.table)
    assert "late" not in await columns(())


async def test_declarations_are_believed_until_items_prove_them_wrong(world: World) -> None:
    await world.tables.create("ctr_declared", (("pk", "S"),))
    await world.tables.put("ctr_declared", [{"pk": {"S": "a"}, "a": {"S": "text"}}])
    table = await world.table("ctr_declared")
    columns = {column.name: column for column in table.columns}
    assert (columns["a"].type.sql, columns["b"].nullable) == ("BIGINT", False)
    for column in ("a", "b"):
        with pytest.raises(Failure) as caught:
            await world.read(table, f"SELECT {column} FROM ctr_declared")
        assert caught.value.code is FailureCode.TYPE_CONFLICT


@pytest.mark.parametrize("sql", ["SELECT pk FROM ctr_remade WHERE pk = 'a'", "SELECT pk FROM ctr_remade"])
async def test_a_table_that_is_gone_or_has_another_key_by_now(world: World, sql: str) -> None:
    await world.tables.create("ctr_remade", (("pk", "S"),))
    await world.tables.put("ctr_remade", [{"pk": {"S": "a"}}])
    table = replace(await world.table("ctr_remade"), item_count=1000, size_bytes=100_000)
    await world.tables.drop("ctr_remade")
    with pytest.raises(Failure) as caught:
        await world.read(table, sql)
    assert caught.value.code is FailureCode.UNKNOWN_TABLE
    assert await world.catalog.describe(world.schema, "ctr_remade", "force") is None
    await world.tables.create("ctr_remade", (("id", "S"),))
    if "WHERE" in sql:
        with pytest.raises(TableChanged):
            await world.read(table, sql)
    await world.tables.drop("ctr_remade")
