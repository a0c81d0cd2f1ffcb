"""What statements read, in items and read units as Dynoxide counts them, whose figures are those of AWS.

Without what is tested here each of them would read a partition of 250 read units, or a table of 1,000.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.domain.schema import Schema
from tests.bench.estimates import ReportedItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import EmulatedTables
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Ports, Service
from tests.support.clock import SettableClock
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PARTITIONS, ITEMS_EACH = 4, 500
BYTES = 4000
"""Of an item: a read unit has room for one, half a one eventually consistent."""
A_PARTITION, A_TABLE = ITEMS_EACH / 2, PARTITIONS * ITEMS_EACH / 2
INDEXES = [
    HeldIndex("by_state", (("state", "S"), ("n", "N"))),
    HeldIndex("by_kind", (("kind", "S"), ("n", "N")), frozenset()),
]


@pytest.fixture(scope="module")
async def service(emulator: Emulator, session_directory: Path) -> AsyncIterator[Service]:
    """The first emulator sets the credentials."""
    with dynoxide_serving(session_directory / "dynoxide-reads") as dynoxide, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynoxide.endpoint_url)  # where botocore finds AWS
        clock = SettableClock()
        schema = Schema("shop", "acme", dynoxide.region, dynoxide.endpoint_url)
        both = (schema, replace(schema, name="reported", endpoint_url=None))
        async with DynamoDbClients(both) as clients, aclosing(DynamoDbCatalog(clients, clock)) as catalog:
            tables = EmulatedTables(clients.of(schema))
            await tables.create("lines", (("pk", "S"), ("n", "N")), INDEXES)
            await tables.put("lines", [line(number) for number in range(PARTITIONS * ITEMS_EACH)])
            await tables.create("one", (("pk", "S"),))
            await tables.put("one", [{"pk": {"S": "a"}, "line": {"S": "p1"}, "at": {"N": "7"}}])
            ports = Ports(tables, catalog, ReportedItems(clients), InProcessDuckDb(), InProcessPlanning())
            yield Service(ports, clock, (schema,))


def line(number: int) -> dict[str, Any]:
    """State and kind are the partition's: whatever reads one of these reads as much as a partition."""
    partition, place = number % PARTITIONS, number // PARTITIONS
    return {
        "pk": {"S": f"p{partition}"},
        "n": {"N": str(place)},
        "state": {"S": f"s{partition}"},
        "kind": {"S": f"k{number % 100}"},
        "text": {"S": "x" * (BYTES - 60)},
    }


@pytest.mark.parametrize(
    ("sql", "items", "units"),
    [
        # the first rows and the last, by a key or in any order
        ("SELECT * FROM lines LIMIT 10", 10, 5.0),
        ("SELECT upper(pk) AS p, {'n': n}, CASE WHEN n > 1 THEN state END FROM lines LIMIT 10", 10, 5.0),
        ("SELECT * FROM lines WHERE pk = 'p1' LIMIT 10", 10, 5.0),
        ("SELECT n FROM lines WHERE pk = 'p1' ORDER BY n LIMIT 3", 3, 1.5),
        ("SELECT n FROM lines WHERE pk = 'p1' ORDER BY n DESC LIMIT 3", 3, 1.5),
        ("SELECT n FROM lines WHERE pk = 'p1' AND n < 100 ORDER BY n DESC LIMIT 2", 2, 1.0),
        ("SELECT n FROM lines WHERE state = 's1' AND n IS NOT NULL ORDER BY n DESC LIMIT 3", 3, 1.5),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n % 2 = 1 ORDER BY n DESC LIMIT 3", 100, 48.5),
        ("SELECT max(n) FROM lines WHERE pk = 'p1'", 1, 0.5),
        ("SELECT min(n) FROM lines WHERE pk = 'p1' AND n > 17", 1, 0.5),
        ("SELECT max(n) FROM lines WHERE state = 's1'", 1, 0.5),
        ("SELECT min(n), max(n) FROM lines WHERE pk = 'p1'", 2, 1.0),
        ("SELECT min(n), max(n) FROM lines WHERE state = 's1' AND n < 99", 2, 1.0),
        # whether there is one
        ("SELECT EXISTS (SELECT 1 FROM lines)", 1, 0.5),
        ("SELECT EXISTS (SELECT 1 FROM lines WHERE pk = 'p1' AND n >= 5)", 1, 0.5),
        ("SELECT pk FROM one WHERE EXISTS (SELECT 1 FROM lines WHERE pk = 'p2' AND n > 100)", 2, 1.0),
        # single keys, and ranges of them
        ("SELECT text FROM lines WHERE pk = 'p1' AND n = 3", 1, 0.5),
        ("SELECT text FROM lines WHERE (pk, n) IN (('p1', 3), ('p2', 4), ('p9', 9))", 2, 1.5),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n = 3 OR pk = 'p2' AND n = 4", 2, 1.0),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n BETWEEN 10 AND 17", 8, 4.0),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n >= 490 AND n < 1000", 10, 5.0),
        ("SELECT text FROM lines WHERE pk IN ('p1', 'p2') AND n < 4", 8, 4.0),
        ("SELECT text FROM lines WHERE state = 's1' AND n < 4", 4, 2.0),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n < 4 OR state = 's1' AND n IN (3, 7)", 6, 3.0),
        ("SELECT text FROM lines WHERE pk = 'p2' AND n = 3 OR kind = 'k7' AND n < 100", 9, 3.0),
        # keys that other rows name
        ("SELECT l.text FROM one o JOIN lines l ON o.line = l.pk AND o.at = l.n", 2, 1.0),
        ("SELECT text FROM lines WHERE pk = 'p1' AND n = (SELECT at FROM one WHERE pk = 'a')", 2, 1.0),
        # nothing
        ("SELECT * FROM lines WHERE false", 0, 0.0),
        ("SELECT * FROM lines WHERE pk = 'p1' AND n > 5 AND n < 3", 0, 0.0),
        ("SELECT * FROM lines WHERE pk = NULL", 0, 0.0),
        ("SELECT * FROM lines LIMIT 0", 0, 0.0),
    ],
)
async def test_only_what_the_answer_needs_is_read(service: Service, sql: str, items: int, units: float) -> None:
    result = await service.run(sql)
    assert (result.statistics.items_read, result.statistics.read_units) == (items, units)


@pytest.mark.parametrize(
    ("sql", "items", "units"),
    [
        ("SELECT count(*) FROM lines", 2000, A_TABLE),
        ("SELECT count(*) FROM lines WHERE pk <> 'p1'", 1500, A_TABLE),
        ("SELECT count(*) FROM lines WHERE state = 's1'", 500, A_PARTITION),
        ("SELECT count(*) FROM lines WHERE pk = 'p1'", 500, A_PARTITION),
        ("SELECT count(*) FROM lines WHERE pk = 'p1' AND n < 10", 10, 5.0),
        ("SELECT count(n) FROM lines WHERE state = 's1'", 500, A_PARTITION),
    ],
)
async def test_dynamodb_counts_without_sending_an_item(service: Service, sql: str, items: int, units: float) -> None:
    (read,) = (await service.queries().explain_sql(ANN, sql=sql)).reads
    assert {request.arguments["Select"] for request in read.requests} == {"COUNT"}
    result = await service.run(sql)
    assert result.rows == [[items]]
    assert 0.95 * units <= result.statistics.read_units <= units + 1  # items are a little smaller than a unit has room


@pytest.mark.parametrize("order", ["", " WHERE pk = 'p1'", " WHERE pk = 'p1' ORDER BY n DESC"])
async def test_max_rows_bounds_what_a_page_reads(service: Service, order: str) -> None:
    """Each page takes half a unit per row, and one row more tells whether another page follows."""
    cursor = None
    for _ in range(3):
        page = await service.run(f"SELECT * FROM lines{order}", max_rows=10, cursor=cursor)
        assert (len(page.rows), page.statistics.items_read, page.statistics.read_units) == (10, 11, 5.5)
        cursor = page.next_cursor


async def test_the_items_of_an_index_of_keys_are_fetched_one_by_one(service: Service) -> None:
    result = await service.run("SELECT text FROM lines WHERE kind = 'k7' AND n > 0")
    assert len(result.rows) == 20
    assert result.statistics.read_units == 20 / 2 + 0.5
    # Columns that the index holds need none of the items.
    held = await service.run("SELECT pk, n FROM lines WHERE kind = 'k7' AND n > 0")
    assert (len(held.rows), held.statistics.read_units) == (20, 0.5)
