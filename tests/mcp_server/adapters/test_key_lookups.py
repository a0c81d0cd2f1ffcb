"""Items that an index names by their keys alone are fetched by those, from an emulator."""

from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import botocore.session
import duckdb
import pytest

from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.domain.schema import Schema, Table
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import Stream, resumable
from mcp_server.ports.items import Consumption
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning import typed_tables
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ITEMS = [{**item, "extra": {"S": f"e{number}"}} for number, item in enumerate(typed_tables.ITEMS["keyed"])] + [
    {"s": {"S": f"many{number}"}, "n": {"N": "1"}, "k": {"S": "k9"}, "id": {"N": str(1000 + number)}}
    for number in range(250)
]


def catalogued(partition_items: float) -> Table:
    """The table as if it were large, with partitions of that size in each index."""
    table = typed_tables.TABLES["keyed"]
    indexes = tuple(replace(index, partition_items=partition_items) for index in table.indexes)
    return replace(table, name="lookups", physical_name="lookups", indexes=indexes, partition_items=10.0)


@pytest.fixture(scope="module")
def schema(emulator: Emulator) -> Iterator[Schema]:
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=emulator.endpoint_url, region_name=emulator.region
    )
    definition = typed_tables.definition(catalogued(10.0))
    client.create_table(TableName="lookups", BillingMode="PAY_PER_REQUEST", **definition)
    for item in ITEMS:
        client.put_item(TableName="lookups", Item=item)
    yield Schema("demo", "default", emulator.region, emulator.endpoint_url)
    client.delete_table(TableName="lookups")
    client.close()


def planned(condition: str, columns: str, partition_items: float = 10.0) -> Read:
    statement = parse(f"SELECT {columns} FROM lookups WHERE {condition}", None)
    table = catalogued(partition_items)
    [read] = bind(statement, "demo", dict.fromkeys(statement.tables, table)).reads(consistent=False)
    return read


async def rows(schema: Schema, read: Read) -> tuple[list[dict[str, Any]], list[Consumption]]:
    heard: list[Consumption] = []
    found: list[dict[str, Any]] = []
    async with DynamoDbClients((schema,)) as clients:
        items = DynamoDbItems(clients)
        async with aclosing(items.pages(schema, read, heard.append)) as pages:
            async for page in pages:
                found += page.to_pylist()
    return found, heard


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("k = 'k1'", "by_k"),
        ("k IN ('k0', 'k2', 'nosuch')", "by_k"),
        ("k = 'k9' AND id > 1100", "by_k"),
        ("k = 'k1' AND n > 5", "by_k"),
        ("(k = 'k1' AND b) OR (k = 'k0' AND n = 1)", "by_k"),
        ("d = 1.25 AND k <> 'k0'", "by_d"),
    ],
)
async def test_every_row_is_there_once(schema: Schema, condition: str, index: str) -> None:
    read = planned(condition, "id")
    with duckdb.connect() as engine:
        table = catalogued(10.0)
        engine.register("lookups", typed_tables.rows(table.columns, ITEMS))
        wanted = {row[0] for row in engine.execute(f"SELECT id FROM lookups WHERE {condition}").fetchall()}

    found, heard = await rows(schema, read)

    names = [column.name for column in read.relation.columns]
    ids = Counter(row[f"c{names.index('id')}"] for row in found)
    assert (read.access, read.index, read.lookup is not None) == ("Query", index, True)
    assert wanted <= ids.keys()
    assert max(ids.values(), default=1) == 1
    assert sum(one.read_units for one in heard) > 0


async def test_keys_are_fetched_a_hundred_at_a_time(schema: Schema) -> None:
    found, heard = await rows(schema, planned("k = 'k9'", "_doc"))

    assert len(found) == 250
    assert [one.items for one in heard] == [250, 100, 100, 50]


async def test_an_index_that_names_too_many_keys_is_not_used(schema: Schema) -> None:
    read = planned("k = 'k9'", "id", partition_items=5_000.0)

    assert read.access == "Scan"
    assert "by_k" not in [index.name for index in read.rejected]
    assert len((await rows(schema, read))[0]) >= 250


async def test_a_stretch_has_the_items_that_are_still_there_in_the_order_of_their_keys(schema: Schema) -> None:
    """One is deleted as soon as the index has named it."""
    read = resumable(planned("k = 'k9'", "id, b"), Stream("", computed=frozenset({"id"})))
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=schema.endpoint_url, region_name=schema.region
    )
    ninth = {":k": {"S": "k9"}}
    named = client.query(
        TableName="lookups", IndexName="by_k", KeyConditionExpression="k = :k", ExpressionAttributeValues=ninth
    )
    gone = next(item for item in ITEMS if (item["s"], item["n"]) == (named["Items"][0]["s"], named["Items"][0]["n"]))
    heard: list[Consumption] = []

    def observe(consumption: Consumption) -> None:
        if not heard:
            client.delete_item(TableName="lookups", Key={"s": gone["s"], "n": gone["n"]})
        heard.append(consumption)

    assert read is not None
    found: list[tuple[int, str]] = []
    async with DynamoDbClients((schema,)) as clients:
        items, after = DynamoDbItems(clients), None
        while True:
            stretch = await items.stretch(schema, read, 0, after, 130, observe)
            rows = stretch.items.to_pylist() if stretch.items is not None else []
            found += [(next(iter(row.values())), stretch.key_of(place)["s"]["S"]) for place, row in enumerate(rows)]
            after = stretch.after
            if after is None:
                break
    client.put_item(TableName="lookups", Item=gone)
    client.close()

    wanted = {(int(item["id"]["N"]), item["s"]["S"]) for item in ITEMS if item.get("k") == {"S": "k9"} and item != gone}
    assert sorted(found) == sorted(wanted)
    assert len(wanted) == 249
    assert sorted(one.items for one in heard) == [20, 30, 99, 100, 120, 130]
