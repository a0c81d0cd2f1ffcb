"""While items come and go between pages, a row that is there throughout comes exactly once, and no row twice."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import EmulatedTables
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.support.clock import SettableClock
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS = 10
PADDING = "x" * 7000


@dataclass(frozen=True, slots=True)
class Shape:
    """A statement over the table, and by which column of its rows they have to come, if any."""

    sql: str
    order: int | None = None
    step: int = 1

    @property
    def way(self) -> tuple[str, str | None]:
        """How it is to be read, and through which index."""
        if "g = " in self.sql or "g IN " in self.sql:
            return "Query", "by_g"
        return ("Query" if "pk " in self.sql else "Scan"), None


SHAPES = [
    Shape("SELECT id, n, stable FROM {table}"),
    Shape("SELECT id, n, stable FROM {table} WHERE n % 3 <> 1"),
    Shape("SELECT id, n, stable FROM {table} WHERE pk = 'p1'", order=1),
    Shape("SELECT id, n, stable FROM {table} WHERE pk = 'p1' ORDER BY n DESC", order=1, step=-1),
    Shape("SELECT id, n, stable FROM {table} WHERE pk IN ('p0', 'p2', 'none') AND t % 2 = 0"),
    Shape("SELECT id, t, stable FROM {table} WHERE g = 'g1' AND t >= 0", order=1),
    Shape("SELECT id, t, stable FROM {table} WHERE g = 'g1' AND t >= 0 ORDER BY t", order=1),
    Shape("SELECT id, t, stable FROM {table} WHERE g = 'g1' AND t >= 0 ORDER BY t DESC", order=1, step=-1),
    Shape("SELECT id, t, stable FROM {table} WHERE g IN ('g0', 'g1') AND t IS NOT NULL AND id LIKE '%1%'"),
]


@pytest.fixture(scope="module", params=["ministack", "dynoxide"])
def database(request: pytest.FixtureRequest, session_directory: Path) -> Iterator[Emulator]:
    if request.param == "ministack":
        yield request.getfixturevalue("emulator")
        return
    request.getfixturevalue("emulator")  # sets the credentials
    with dynoxide_serving(session_directory / "dynoxide-paging") as emulator:
        yield emulator


@pytest.fixture(scope="module")
async def service(database: Emulator) -> AsyncIterator[Service]:
    clock = SettableClock()
    schemas = schemas_at(database.region, database.endpoint_url)
    async with (
        DynamoDbClients(schemas) as clients,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
    ):
        tables = EmulatedTables(clients.of(schemas[0]))
        ports = Ports(tables, catalog, DynamoDbItems(clients), InProcessDuckDb(), InProcessPlanning())
        yield Service(ports, clock, schemas)


@dataclass(slots=True)
class Churn:
    """A table, of whose items some stay and the others come and go, each under a key of its own."""

    client: Any
    table: str
    chance: random.Random
    made: int = 0

    async def put(self, count: int, *, stable: bool, padding: str) -> list[dict[str, Any]]:
        """Writes new items, and gives their keys."""
        items = [self._item(stable=stable, padding=padding) for _ in range(count)]
        for start in range(0, len(items), 25):
            batch = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            await self.client.batch_write_item(RequestItems={self.table: batch})
        return items

    async def delete(self, items: list[dict[str, Any]]) -> None:
        """Deletes items."""
        await asyncio.gather(
            *(
                self.client.delete_item(TableName=self.table, Key={name: item[name] for name in ("pk", "n")})
                for item in items
            )
        )

    def _item(self, *, stable: bool, padding: str) -> dict[str, Any]:
        self.made += 1
        number = f"{self.chance.randrange(500)}.{self.made:05}"
        return {
            "pk": {"S": f"p{self.chance.randrange(4)}"},
            "n": {"N": number},
            "id": {"S": f"i{self.made}"},
            "g": {"S": f"g{self.chance.randrange(2)}"},
            "t": {"N": str(self.chance.randrange(3))},
            "stable": {"BOOL": stable},
            "padding": {"S": padding},
        }


async def created(service: Service, name: str, chance: random.Random) -> Churn:
    assert isinstance(service.tables, EmulatedTables)
    client = service.tables.client
    await client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (("pk", "S"), ("n", "N"), ("g", "S"), ("t", "N"))
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "t", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return Churn(client, name, chance)


async def paged(
    service: Service, churn: Churn, shape: Shape, volatile: dict[str, dict[str, Any]], *, named_too: bool = True
) -> list[list[Any]]:
    """The rows of all pages; between pages items come and go, always the one that the cursor names if it may."""
    chance = churn.chance
    sql = shape.sql.format(table=churn.table)
    found: list[list[Any]] = []
    cursor = None
    for _ in range(2_000):
        page = await service.queries().run_sql(ANN, sql=sql, max_rows=chance.choice([1, 3, 10, 40]), cursor=cursor)
        assert page.statistics.items_read >= len(page.rows)  # nothing of it was kept
        found += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return found
        last = [page.rows[-1][0]] if page.rows else []
        others = sorted(volatile.keys() - set(last))
        gone = (last if named_too else []) + chance.sample(others, min(2, len(others)))
        await churn.delete([volatile.pop(name) for name in dict.fromkeys(gone) if name in volatile])
        for item in await churn.put(2, stable=False, padding=""):
            volatile[item["id"]["S"]] = item
    pytest.fail("the pages do not end")


@pytest.mark.parametrize("shape", SHAPES, ids=[f"{number}" for number in range(len(SHAPES))])
async def test_no_row_is_lost_or_repeated(service: Service, shape: Shape) -> None:
    number = SHAPES.index(shape)
    chance = random.Random(f"churn {number}")
    churn = await created(service, f"churn_{number}", chance)
    await churn.put(120, stable=True, padding="")
    await service.catalog.describe(service.schemas.by_name["shop"], churn.table, "force")
    volatile = {item["id"]["S"]: item for item in await churn.put(60, stable=False, padding="")}
    (read,) = (await service.queries().explain_sql(ANN, sql=shape.sql.format(table=churn.table))).reads
    assert (read.access, read.index) == shape.way
    whole = f"{shape.sql.format(table=churn.table)} LIMIT 1000"
    expected = {row[0] for row in await service.rows(whole, max_rows=1000) if row[2]}
    assert len(expected) > 8
    for _ in range(ROUNDS):
        rows = await paged(service, churn, shape, volatile)
        names = [row[0] for row in rows]
        assert len(set(names)) == len(names)
        assert {row[0] for row in rows if row[2]} == expected
        if shape.order is not None:
            came = [float(row[shape.order]) for row in rows]
            assert came == sorted(came, reverse=shape.step < 0)


@pytest.mark.parametrize("condition", ["", " WHERE n % 50 < 2"])
async def test_no_row_of_any_segment_is_lost_or_repeated(
    service: Service, request: pytest.FixtureRequest, condition: str
) -> None:
    """Dynoxide ends a segment at a key that no item has; DynamoDB and MiniStack go on after it."""
    named_too = "ministack" in request.node.callspec.id
    name = f"churn_wide_{len(condition)}"
    churn = await created(service, name, random.Random(name))
    await churn.put(700, stable=True, padding=PADDING)
    volatile = {item["id"]["S"]: item for item in await churn.put(60, stable=False, padding="")}
    explained = await service.queries().explain_sql(ANN, sql=f"SELECT * FROM {name}")
    assert len(explained.reads[0].requests) > 1
    sql = f"SELECT id, n, stable FROM {name}{condition}"
    expected = {row[0] for row in await service.rows(f"{sql} LIMIT 1000", max_rows=1000) if row[2]}
    for _ in range(2):
        rows = await paged(service, churn, Shape(sql), volatile, named_too=named_too)
        assert len({row[0] for row in rows}) == len(rows)
        assert {row[0] for row in rows if row[2]} == expected
