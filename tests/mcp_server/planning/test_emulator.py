"""The planned requests, sent to a DynamoDB: it takes them, and returns what they are meant to return."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import botocore.session
import duckdb
import pyarrow as pa
import pytest

from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning.filter_language import compile_filter
from tests.mcp_server.planning.test_access_path import ORDERS
from tests.mcp_server.planning.typed_items import ODD, PATTERNS, RIGHT, TABLE, bound, literals, only_relation
from tests.mcp_server.planning.typed_tables import definition
from tests.support.emulator import Emulator

pytestmark = pytest.mark.slow

Item = Mapping[str, Mapping[str, Any]]

ODD_ITEMS: list[Item] = [
    {"k": {"S": "bare"}},
    *(
        {"k": {"S": f"{name}-{number}"}, name: value}
        for name, right in RIGHT.items()
        for number, value in enumerate([*right, *ODD, {"NULL": True}])
    ),
]


@pytest.fixture(scope="module")
def dynamodb(emulator: Emulator) -> Iterator[Any]:
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=emulator.endpoint_url, region_name=emulator.region
    )
    yield client
    client.close()


def _create(client: Any, name: str, items: list[Item], **definition: Any) -> str:
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)
    for item in items:
        client.put_item(TableName=name, Item=item)
    return name


def _responses(client: Any, table: str, read: Read) -> Iterator[list[Item]]:
    for request in read.requests:
        arguments = dict(request.arguments)
        if request.operation == "BatchGetItem":
            answer = client.batch_get_item(RequestItems={table: arguments})
            assert not answer["UnprocessedKeys"]
            yield answer["Responses"][table]
            continue
        operation = client.query if request.operation == "Query" else client.scan
        answer = operation(TableName=table, **arguments)
        assert "LastEvaluatedKey" not in answer
        yield answer["Items"]


@pytest.fixture(scope="module")
def odd_table(dynamodb: Any) -> str:
    return _create(
        dynamodb,
        "planning_odd",
        ODD_ITEMS,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )


def _odd_conditions() -> Iterator[str]:
    for column in RIGHT:
        for operator, literal in product(("=", "<>", "<", "<=", ">", ">="), literals(column)):
            yield f"{column} {operator} {literal}"
        yield from (f"{column} IS NULL", f"{column} IS NOT NULL")
        first, *_, last = literals(column)
        yield f"{column} BETWEEN {first} AND {last}"
        yield f"{column} IN ({first}, {last})"
        yield f"({column} = {first} OR {column} IS NULL) AND {column} IS DISTINCT FROM {last}"
    for column, pattern in product(("s", "m"), PATTERNS):
        yield f"{column} LIKE '{pattern}'"


def test_filters_mean_what_the_filter_language_says(dynamodb: Any, odd_table: str) -> None:
    """What the quick tests believe of DynamoDB's filters holds, for every type of attribute."""
    for condition in _odd_conditions():
        (request,) = plan_read(only_relation(bound(TABLE, condition)), consistent=False).requests
        arguments = dict(request.arguments) | {"ProjectionExpression": "k"}
        passes = compile_filter(
            arguments.get("FilterExpression"),
            arguments.get("ExpressionAttributeNames", {}),
            arguments.get("ExpressionAttributeValues", {}),
        )

        answer = dynamodb.scan(TableName=odd_table, **dict(request.arguments))

        expected = sum(1 for item in ODD_ITEMS if passes(item))
        assert answer["Count"] == expected, condition


def _order(number: int) -> Item:
    """Orders, some of which lack the attributes that indexes are made on."""
    item: dict[str, Mapping[str, Any]] = {
        "pk": {"S": "abc"[number % 3]},
        "sk": {"N": str(number)},
        "note": {"S": f"note {number % 4}"},
        "total": {"N": str(number * 10)},
    }
    if number % 2:
        item["customer"] = {"N": str(number % 5)}
    if number % 3:
        item["placed"] = {"S": f"2024-01-{number % 28 + 1:02}"}
    if number % 4:
        item["status"] = {"S": ["open", "paid"][number % 2]}
    if number % 5:
        item |= {"a": {"S": "x"}, "b": {"N": str(number % 2)}, "c": {"S": "yz"[number % 2]}}
    if number % 7:
        item["d"] = {"N": str(number)}
    return item


ORDER_ITEMS = [_order(number) for number in range(60)]


@pytest.fixture(scope="module")
def order_table(dynamodb: Any) -> str:
    return _create(dynamodb, "planning_orders", ORDER_ITEMS, **definition(ORDERS))


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over all orders."""
    with duckdb.connect(config={"threads": 1}) as connection:
        values = [
            {name: next(iter(item[name].values())) if name in item else None for name in _NAMES} for item in ORDER_ITEMS
        ]
        connection.register("texts", pa.Table.from_pylist(values, pa.schema([(name, pa.string()) for name in _NAMES])))
        casts = ", ".join(f"{column.name}::{column.type.sql} AS {column.name}" for column in ORDERS.columns)
        connection.execute(f"CREATE TABLE orders AS SELECT {casts} FROM texts")
        yield connection


_NAMES = [column.name for column in ORDERS.columns]


@pytest.mark.complaint(5)
@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize(
    ("condition", "access", "index"),
    [
        ("pk = 'a' AND sk = 3", "GetItem", None),
        ("pk IN ('a', 'b', 'nope') AND sk IN (3, 4, 1000)", "GetItem", None),
        ("pk = 'a'", "Query", None),
        ("pk IN ('a', 'c') AND sk > 10 AND sk < 30 AND note LIKE 'note 1%'", "Query", None),
        ("pk = 'a' AND sk BETWEEN 10 AND 20 AND customer IS NULL", "Query", None),
        ("pk = 'a' AND sk <> 3 AND total >= 100", "Query", None),
        ("pk = 'a' AND placed >= DATE '2024-01-10'", "Query", "by_placed"),
        ("customer = 3 AND placed < DATE '2024-01-20' AND total > 50", "Query", "by_customer"),
        ("customer IN (1, 3) AND placed IS NOT NULL", "Query", "by_customer"),
        ("customer = 3", "Scan", None),
        ("status = 'open'", "Query", "by_status"),
        ("a = 'x' AND b IN (0, 1) AND c = 'z' AND d BETWEEN 10 AND 40", "Query", "by_many"),
        ("a = 'x' AND b = 1 AND c > 'y' AND d IS NOT NULL", "Query", "by_many"),
        ("a = 'x' AND b = 1 AND c = 'z'", "Scan", None),
        ("total IN (10, 20, 30) OR note = 'note 2'", "Scan", None),
        ("placed IS NULL AND status IS NOT NULL", "Scan", None),
        ("pk = 'a' AND pk = 'b'", "None", None),
        ("(pk, sk) IN (('a', 3), ('b', 4), ('b', 1000))", "GetItem", None),
        ("(pk = 'a' AND sk = '3') OR (pk = 'c' AND sk IN (2, '5'))", "GetItem", None),
        ("(pk = 'a' AND sk > 10) OR (pk = 'a' AND sk < 20) OR (pk = 'b' AND sk = 4)", "Query", None),
        ("pk = 'a' AND year(placed) = 2024 AND date_trunc('month', placed) = DATE '2024-01-01'", "Query", "by_placed"),
        (
            "(customer = 3 AND placed > DATE '2024-01-20') OR (customer = 1 AND placed IS NOT NULL)",
            "Query",
            "by_customer",
        ),
        ("pk = 'a' AND 1 = 0", "None", None),
    ],
)
def test_reads_return_every_row_needed(
    dynamodb: Any,
    order_table: str,
    oracle: duckdb.DuckDBPyConnection,
    condition: str,
    access: str,
    index: str | None,
    consistent: bool,
) -> None:
    statement = parse(f"SELECT pk, sk FROM orders WHERE {condition}", None)
    (relation,) = bind(statement, "demo", dict.fromkeys(statement.tables, ORDERS)).relations
    read = plan_read(relation, consistent=consistent)
    if not consistent or index in (None, "by_placed"):
        assert (read.access, read.index) == (access, index)
    else:
        assert read.index is None

    received = [item for items in _responses(dynamodb, order_table, read) for item in items]

    wanted = set(oracle.execute(f"SELECT pk, sk FROM orders WHERE {condition}").fetchall())
    found = [(item["pk"]["S"], int(item["sk"]["N"])) for item in received]
    assert wanted <= set(found)
    assert len(found) == len(set(found))
    assert {name for item in received for name in item} <= {column.name for column in relation.columns}
