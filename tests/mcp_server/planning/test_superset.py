"""No row that a query can use is left out by what is pushed down to DynamoDB."""

from collections.abc import Iterator, Sequence

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings

from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Read
from tests.mcp_server.planning.filter_language import compile_filter
from tests.mcp_server.planning.typed_items import (
    TABLE,
    Item,
    bound,
    conditions,
    conflicting,
    items,
    matching,
    only_relation,
    widen,
)

_SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def _received(read: Read, stored: Sequence[Item]) -> list[Item]:
    """What the requests of a read return, by the filter language's own rules."""
    keys = {item["k"]["S"]: item for item in stored}
    received: list[Item] = []
    for request in read.requests:
        arguments = request.arguments
        if request.operation == "BatchGetItem":
            received += [keys[key["k"]["S"]] for key in arguments["Keys"] if key["k"]["S"] in keys]
            continue
        names = arguments.get("ExpressionAttributeNames", {})
        values = arguments.get("ExpressionAttributeValues", {})
        passes = compile_filter(arguments.get("FilterExpression"), names, values)
        matches = compile_filter(arguments.get("KeyConditionExpression"), names, values)
        received += [item for item in stored if matches(item) and passes(item)]
    return received


@_SETTINGS
@given(stored=items(odd=False), condition=conditions())
def test_every_matching_item_is_received(engine: duckdb.DuckDBPyConnection, stored: list[Item], condition: str) -> None:
    try:
        wanted = matching(engine, TABLE, condition, stored)
    except duckdb.Error:
        assume(False)

    received = _received(plan_read(only_relation(bound(TABLE, condition)), consistent=False), stored)

    assert wanted <= {item["k"]["S"] for item in received}


@_SETTINGS
@given(stored=items(odd=True), condition=conditions())
def test_unsampled_types_change_no_answer_unnoticed(
    engine: duckdb.DuckDBPyConnection, stored: list[Item], condition: str
) -> None:
    """Either the reader meets an item of the wrong type, or that item does not matter on the right types either."""
    relation = only_relation(bound(TABLE, condition))
    received = _received(plan_read(relation, consistent=False), stored)
    needed = {column.name for column in relation.columns}
    if any(conflicting(item, TABLE) & needed for item in received):
        return  # the query runs again, on wider types
    widened = widen(TABLE, frozenset().union(*(conflicting(item, TABLE) for item in stored)) & needed)
    rows = [{name: value for name, value in item.items() if name in needed | {"k"}} for item in stored]
    try:
        wanted = matching(engine, widened, condition, rows)
    except duckdb.Error:
        assume(False)

    got = matching(
        engine, TABLE, condition, [{name: item[name] for name in item if name in needed | {"k"}} for item in received]
    )

    assert got == wanted


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        ("s = 'a'", "(#n0 = :v0 OR attribute_exists(#n0) AND NOT attribute_type(#n0, :v1))"),
        ("n <> 5", "attribute_exists(#n0) AND #n0 <> :v0"),
        ("s IS NULL", "(attribute_not_exists(#n0) OR attribute_type(#n0, :v0))"),
        ("s IS NOT NULL", "attribute_exists(#n0)"),
        (
            "day >= DATE '1995-01-01'",
            "(#n0 >= :v0 OR attribute_exists(#n0) AND (NOT attribute_type(#n0, :v1) OR size(#n0) <> :v2))",
        ),
        ("k > 'a'", "#n0 > :v0"),
        ("s = 5", None),
        ("lower(s) = 'a'", None),
        ("n = 5e0", None),
        ("s = 'a' OR lower(s) = 'b'", None),
        ("f <> 0.1", None),
    ],
)
def test_what_is_pushed(condition: str, expression: str | None) -> None:
    (request,) = plan_read(only_relation(bound(TABLE, condition)), consistent=False).requests

    assert request.arguments.get("FilterExpression") == expression
