"""Pages go on as the first one was begun, on any replica, whatever each of them has learnt since."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.cursors import PathClosed
from mcp_server.engine.parsed import LIGHT_CHARACTERS
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.doubles.tables import HeldIndex, HeldTable
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

BY_G = HeldIndex("by_g", (("g", "S"), ("t", "N")))
KEY = (("pk", "S"), ("n", "N"))
PADDING = "x" * 1000


class Fleet:
    """Replicas over the same tables, each with a catalogue of its own and what it has learnt itself."""

    def __init__(self, replicas: int = 2) -> None:
        self.tables, self.clock = TablesInMemory(), SettableClock()
        self._relational = InProcessDuckDb()
        self.services = [self._service() for _ in range(replicas)]
        self.replicas: list[QueryService] = [service.queries() for service in self.services]

    def _service(self) -> Service:
        held = self.tables.held
        ports = Ports(
            *(self.tables, HeldCatalog(held, self.clock), HeldItems(held), self._relational, InProcessPlanning())
        )
        return Service(ports, self.clock, schemas_at("eu-central-1", "http://127.0.0.1:1"))

    def restart(self, replica: int) -> None:
        """Has a replica forget all that it has learnt."""
        self.services[replica] = self._service()
        self.replicas[replica] = self.services[replica].queries()

    def held(self, name: str) -> HeldTable:
        """A table."""
        return self.tables.held[name]

    async def create(
        self, name: str, items: Sequence[dict[str, Any]], *, indexes: Sequence[HeldIndex] = (BY_G,)
    ) -> None:
        """Makes a table with items."""
        await self.tables.create(name, KEY, indexes)
        await self.tables.put(name, list(items))

    async def refresh(self, replica: int, name: str) -> None:
        """Has a replica sample a table anew."""
        service = self.services[replica]
        await service.catalog.describe(service.schemas.by_name["shop"], name, "force")

    async def way(self, replica: int, sql: str) -> tuple[str, str | None]:
        """How a replica would read for a first page now."""
        (read,) = (await self.replicas[replica].explain_sql(ANN, sql=sql)).reads
        return read.access, read.index

    async def page(self, replica: int, sql: str, cursor: str | None = None, max_rows: int = 5) -> QueryResult:
        """A page of a statement, from a replica."""
        return await self.replicas[replica].run_sql(ANN, sql=sql, max_rows=max_rows, cursor=cursor)

    async def rest(self, sql: str, page: QueryResult, max_rows: int = 5) -> list[list[Any]]:
        """The rows of a page and of all after it, from the replicas by turns."""
        rows, number = list(page.rows), 0
        while page.next_cursor is not None:
            page = await self.page(number % len(self.replicas), sql, page.next_cursor, max_rows)
            rows, number = rows + page.rows, number + 1
        return rows


def item(number: int, **more: Any) -> dict[str, Any]:
    """An item of partition `a`, of the index's partition `x`."""
    own = {"pk": {"S": "a"}, "n": {"N": str(number)}, "g": {"S": "x"}, "t": {"N": str(number % 7)}}
    return own | {"id": {"N": str(number)}, "padding": {"S": PADDING}} | more


async def test_a_table_that_has_grown_is_read_on_as_it_was_begun() -> None:
    """A tiny table is scanned, a larger one read by key."""
    fleet, sql = Fleet(), "SELECT id FROM pin_grown WHERE pk IN ('a', 'b', 'c', 'd', 'e') AND n >= 0"
    await fleet.create("pin_grown", [item(number) for number in range(12)])
    before = await fleet.way(0, sql)
    first = await fleet.page(0, sql)
    others = [item(number, pk={"S": f"p{number}"}) for number in range(1000, 1400)]
    await fleet.tables.put("pin_grown", others)
    for replica in (0, 1):
        await fleet.refresh(replica, "pin_grown")
        assert await fleet.way(replica, sql) != before
    assert sorted(row[0] for row in await fleet.rest(sql, first)) == list(range(12))


@pytest.mark.parametrize("comment", ["", f" -- {'x' * LIGHT_CHARACTERS}"], ids=["planned here", "planned beside"])
async def test_what_another_replica_has_learnt_of_partitions_ends_no_cursor(comment: str) -> None:
    """It has read one of the table, which is a large one, and takes the index's for smaller."""
    fleet, sql = Fleet(), f"SELECT id FROM pin_learnt WHERE pk = 'a' AND g = 'x' AND t >= 0{comment}"
    others = [item(n, g={"S": f"g{n % 50}"}) for n in range(100, 400)]
    await fleet.create("pin_learnt", [*(item(number) for number in range(40)), *others])
    first = await fleet.page(0, sql)
    assert await fleet.way(0, sql) == ("Query", None)
    await fleet.page(1, "SELECT max(id) FROM pin_learnt WHERE pk = 'a'")
    assert await fleet.way(1, sql) == ("Query", "by_g")
    assert sorted(row[0] for row in await fleet.rest(sql, first, 9)) == list(range(40))


async def test_a_scan_goes_on_though_the_table_has_become_large() -> None:
    fleet, sql = Fleet(), "SELECT id FROM pin_large WHERE id % 2 = 0"
    await fleet.create("pin_large", [item(number) for number in range(40)])
    first = await fleet.page(0, sql)
    fleet.held("pin_large").told_items = 5_000_000
    await fleet.refresh(0, "pin_large")
    await fleet.refresh(1, "pin_large")
    with pytest.raises(Failure) as caught:
        await fleet.page(1, sql.replace("SELECT id", "SELECT sum(id)"))
    assert caught.value.code is FailureCode.FULL_SCAN_REFUSED
    assert sorted(row[0] for row in await fleet.rest(sql, first)) == list(range(0, 40, 2))


@pytest.mark.parametrize("columns", ["*", "* EXCLUDE (t)", "*, id + 1 AS next"])
async def test_the_columns_of_a_star_stay_those_of_the_first_page(columns: str) -> None:
    fleet, sql = Fleet(), f"SELECT {columns} FROM pin_star WHERE pk = 'a' ORDER BY n"
    await fleet.create("pin_star", [item(number) for number in range(20)])
    first = await fleet.page(0, sql)
    await fleet.tables.put("pin_star", [item(15, a_new={"S": "new"}), item(16, z_new={"M": {"x": {"N": "1"}}})])
    for replica in (0, 1):
        await fleet.refresh(replica, "pin_star")
    assert "a_new" in {column.name for column in (await fleet.page(1, sql)).columns}
    second = await fleet.page(1, sql, first.next_cursor, 12)
    assert second.columns == first.columns
    assert [len(row) for row in second.rows] == [len(first.columns)] * 12
    assert any("a_new" in warning for warning in second.warnings)  # they tell what `*` does not show
    third = await fleet.page(0, sql, second.next_cursor)
    assert third.columns == first.columns
    assert third.next_cursor is None


async def test_a_column_that_only_one_replica_knows_is_met_by_the_other() -> None:
    fleet, sql = Fleet(), "SELECT * FROM pin_rare"
    await fleet.create("pin_rare", [item(number) for number in range(20)])
    await fleet.page(1, sql)  # before there is such a column
    await fleet.tables.put("pin_rare", [item(number, rare={"N": "7"}) for number in range(0, 20, 2)])
    first = await fleet.page(0, sql)
    assert "rare" in {column.name for column in first.columns}
    second = await fleet.page(1, sql, first.next_cursor, 50)
    assert second.columns == first.columns
    place = [column.name for column in first.columns].index("rare")
    assert [row[place] for row in first.rows + second.rows].count(7) == 10


async def test_a_column_that_is_gone_is_null() -> None:
    fleet, sql = Fleet(), "SELECT * FROM pin_gone"
    await fleet.create("pin_gone", [item(number, old={"S": "o"}) for number in range(20)])
    first = await fleet.page(0, sql)
    await fleet.tables.put("pin_gone", [item(number) for number in range(20)])
    await fleet.refresh(1, "pin_gone")
    second = await fleet.page(1, sql, first.next_cursor, 50)
    assert second.columns == first.columns
    place = [column.name for column in first.columns].index("old")
    assert {row[place] for row in second.rows} == {None}


async def test_an_index_that_is_gone_ends_the_cursor_and_is_named() -> None:
    fleet, sql = Fleet(), "SELECT id FROM pin_dropped WHERE g = 'x' AND t >= 0"
    await fleet.create("pin_dropped", [item(n, pk={"S": f"p{n}"}, g={"S": "xy"[n % 2]}) for n in range(400)])
    assert await fleet.way(0, sql) == ("Query", "by_g")
    first = await fleet.page(0, sql)
    fleet.held("pin_dropped").indexes = ()
    for replica in (0, 1):  # the first one does not know yet
        with pytest.raises(Failure) as caught:
            await fleet.page(replica, sql, first.next_cursor)
        assert caught.value.fact == PathClosed("by_g", None)


async def test_an_index_that_may_lack_rows_by_now_ends_the_cursor_with_the_reason() -> None:
    fleet, sql = Fleet(), "SELECT id FROM pin_unsafe WHERE g = 'x' AND t >= 0"
    made = [item(n, pk={"S": f"p{n}"}, g={"S": "xy"[n % 2]}) for n in range(400)]
    await fleet.create("pin_unsafe", made)
    assert await fleet.way(0, sql) == ("Query", "by_g")
    first = await fleet.page(0, sql)
    await fleet.tables.put("pin_unsafe", [item(999, pk={"S": "late"}, t={"S": "3"})])
    await fleet.refresh(1, "pin_unsafe")
    with pytest.raises(Failure) as caught:
        await fleet.page(1, sql, first.next_cursor)
    fact = caught.value.fact
    assert isinstance(fact, PathClosed)
    assert fact.reason == 'it lacks the items whose "t" has another type than N'


async def test_a_filter_that_is_said_otherwise_by_now_ends_no_cursor() -> None:
    """What DynamoDB filters by depends on the types that a replica has met."""
    fleet, sql = Fleet(), "SELECT id FROM pin_filter WHERE pk = 'a' AND v = 'on'"
    await fleet.create("pin_filter", [item(number, v={"S": "on"}) for number in range(20)])
    first = await fleet.page(0, sql)
    await fleet.tables.put("pin_filter", [item(number, v={"BOOL": True}) for number in range(100, 120)])
    await fleet.refresh(1, "pin_filter")
    second = await fleet.page(1, sql, first.next_cursor, 50)
    assert sorted(row[0] for row in first.rows + second.rows) == list(range(20))


async def test_what_a_page_learns_of_a_type_takes_no_column_from_the_catalogue() -> None:
    fleet, sql = Fleet(1), "SELECT * FROM pin_types WHERE pk = 'a'"
    await fleet.create("pin_types", [item(number, v={"N": "1"}) for number in range(20)])
    first = await fleet.page(0, sql)
    await fleet.tables.put("pin_types", [item(15, v={"N": "1"}, more={"S": "m"})])
    await fleet.refresh(0, "pin_types")
    await fleet.tables.put("pin_types", [item(16, v={"S": "late"})])
    later = await fleet.page(0, sql, first.next_cursor, 50)
    assert [column.name for column in later.columns] == [column.name for column in first.columns]
    place = [column.name for column in first.columns].index("v")
    assert "late" in [row[place] for row in later.rows]
    described = await fleet.services[0].browsing().describe_table(ANN, table_name="pin_types", refresh="skip")
    types = {column.name: column.type.sql for column in described.table.columns}
    assert types["more"] == "VARCHAR"
    assert types["v"] != first.columns[place].type


async def test_parameters_and_the_time_are_those_of_the_first_page() -> None:
    """Plans with slots are not those of pages that go on; what asks for the time is planned for the first one's."""
    fleet, sql = Fleet(), "SELECT id, now() FROM pin_slots WHERE pk = $pk AND g = $g AND t >= 0"
    others = [item(n, g={"S": f"g{n % 50}"}) for n in range(100, 400)]
    await fleet.create("pin_slots", [*(item(number) for number in range(40)), *others])
    for statement in (sql, sql.replace(", now()", "")):
        rows, cursor = list[list[Any]](), None
        for number in range(9):
            page = await fleet.replicas[number % 2].run_sql(
                ANN, sql=statement, parameters={"pk": "a", "g": "x"}, max_rows=5, cursor=cursor
            )
            rows, cursor = rows + page.rows, page.next_cursor
            if cursor is None:
                break
            await fleet.page(number % 2, "SELECT max(id) FROM pin_slots WHERE pk = 'a'")
            fleet.clock.time += 1
        assert sorted(row[0] for row in rows) == list(range(40))
        assert len({row[1] for row in rows if len(row) > 1}) < 2


STATEMENTS = [
    "SELECT * FROM {table}",
    "SELECT * FROM {table} WHERE id % 3 <> 1",
    "SELECT id, stable FROM {table} WHERE pk = 'p1' AND n >= 0",
    "SELECT id, stable FROM {table} WHERE pk = 'p1' ORDER BY n DESC",
    "SELECT id, stable FROM {table} WHERE pk = 'p1' AND g = 'g1' AND t >= 0",
    "SELECT id, stable FROM {table} WHERE pk IN ('p0', 'p2') AND g IN ('g0', 'g1') AND t BETWEEN 0 AND 2",
    "SELECT *, pk || g AS both FROM {table} WHERE g = 'g1' AND t IS NOT NULL",
    "SELECT id, stable FROM {table} WHERE g = 'g1' AND t > 0 AND pk IN ('p0', 'p1', 'p3')",
]
NARROW = {4, 5, 7}
"""Those with few rows, which can be read by the table or by its index."""


class Drift:
    """A table in which some items stay, while others come and go and all figures and columns of it change."""

    def __init__(self, fleet: Fleet, name: str, chance: random.Random) -> None:
        self.fleet, self.name, self.chance, self.made = fleet, name, chance, 0
        self.volatile: list[dict[str, Any]] = []

    def items(self, count: int, *, stable: bool) -> list[dict[str, Any]]:
        """New items."""
        made: list[dict[str, Any]] = []
        for _ in range(count):
            self.made += 1
            own = {
                "pk": {"S": f"p{self.chance.randrange(4)}"},
                "n": {"N": f"{self.chance.randrange(500)}.{self.made:05}"},
                "id": {"N": str(self.made)},
                "g": {"S": f"g{self.chance.randrange(3)}"},
                "t": {"N": str(self.chance.randrange(3))},
                "stable": {"BOOL": stable},
                "padding": {"S": PADDING},
            }
            if not stable and self.chance.random() < 0.2:
                own[f"c{self.chance.randrange(6)}"] = {"S": "seen later"}
            made.append(own)
        return made

    async def change(self, sql: str) -> None:
        """What may happen between two pages."""
        chance, fleet = self.chance, self.fleet
        replica = chance.randrange(len(fleet.replicas))
        match chance.randrange(6):
            case 0:
                many = self.items(chance.choice([1, 5, 60]), stable=False)
                self.volatile += many
                await fleet.tables.put(self.name, many)
            case 1:
                gone = chance.sample(self.volatile, len(self.volatile) * chance.randrange(2, 10) // 10)
                for one in gone:
                    await fleet.tables.delete(self.name, {name: one[name] for name, _ in KEY})
                self.volatile = [one for one in self.volatile if one not in gone]
            case 2:
                fleet.held(self.name).told_items = chance.choice([None, 3, 90, 5_000, 120_000])
                await fleet.refresh(replica, self.name)
            case 3:
                await fleet.refresh(replica, self.name)
            case 4:
                fleet.restart(replica)
            case _:  # which teaches a replica what partitions hold
                condition = chance.choice(["pk = 'p{}'", "g = 'g{}' AND t IS NOT NULL"]).format(chance.randrange(4))
                other = f"SELECT max(id) FROM {self.name} WHERE {condition}"
                await fleet.replicas[replica].run_sql(ANN, sql=other, allow_full_scan=True)


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
async def test_no_change_of_what_is_known_ends_loses_or_repeats_a_row(number: int) -> None:
    fleet, chance = Fleet(), random.Random(f"drift {number}")
    name = f"pin_drift_{number}"
    drift, sql, other_ways = Drift(fleet, name, chance), STATEMENTS[number].format(table=name), Counter[str]()
    await fleet.create(name, drift.items(150, stable=True))
    narrow = number in NARROW
    for _ in range(6 if narrow else 3):
        first = await fleet.replicas[0].run_sql(ANN, sql=sql, max_rows=3, allow_full_scan=True)
        way = await fleet.way(0, sql)
        names, page, rows = [column.name for column in first.columns], first, list(first.rows)
        while page.next_cursor is not None:
            await drift.change(sql)
            replica = chance.randrange(2)
            other_ways["another" if await fleet.way(replica, sql) != way else "the same"] += 1
            page = await fleet.page(replica, sql, page.next_cursor, chance.choice([1, 3, 5] if narrow else [3, 10, 40]))
            assert [column.name for column in page.columns] == names
            rows += page.rows
        ids = [row[names.index("id")] for row in rows]
        assert len({*ids}) == len(ids)
        whole = f"SELECT id FROM ({sql}) WHERE stable"
        expected = await fleet.replicas[0].run_sql(ANN, sql=whole, max_rows=1000, allow_full_scan=True)
        found = {row[names.index("id")] for row in rows if row[names.index("stable")]}
        assert found == {row[0] for row in expected.rows}
    if narrow:
        assert other_ways["another"], "nothing would have been chosen otherwise"
