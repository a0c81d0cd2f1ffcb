"""No row that a query can use is left out by what is pushed down to DynamoDB."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings

from mcp_server.planning.access_path import plan_read
from tests.mcp_server.planning.filter_language import received
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

_SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@pytest.mark.slow
@_SETTINGS
@given(stored=items(odd=False), condition=conditions())
def test_every_matching_item_is_received(engine: duckdb.DuckDBPyConnection, stored: list[Item], condition: str) -> None:
    try:
        wanted = matching(engine, TABLE, condition, stored)
    except duckdb.Error:
        assume(False)

    found = received(plan_read(only_relation(bound(TABLE, condition)), consistent=False).requests, stored)

    assert wanted <= {item["k"]["S"] for item in found}


@pytest.mark.slow
@_SETTINGS
@given(stored=items(odd=True), condition=conditions())
def test_unsampled_types_change_no_answer_unnoticed(
    engine: duckdb.DuckDBPyConnection, stored: list[Item], condition: str
) -> None:
    """Either the reader meets an item of the wrong type, or that item does not matter on the right types either."""
    relation = only_relation(bound(TABLE, condition))
    found = received(plan_read(relation, consistent=False).requests, stored)
    needed = {column.name for column in relation.columns}
    if any(conflicting(item, TABLE) & needed for item in found):
        return  # the query runs again, on wider types
    widened = widen(TABLE, frozenset().union(*(conflicting(item, TABLE) for item in stored)) & needed)
    rows = [{name: value for name, value in item.items() if name in needed | {"k"}} for item in stored]
    try:
        wanted = matching(engine, widened, condition, rows)
    except duckdb.Error:
        assume(False)

    got = matching(
        engine, TABLE, condition, [{name: item[name] for name in item if name in needed | {"k"}} for item in found]
    )

    assert got == wanted


@pytest.mark.complaint(8)
@pytest.mark.parametrize(
    ("column", "value", "condition"),
    [
        ("f", {"N": "0.1"}, "f = 0.1"),
        ("f", {"N": "0.1"}, "f >= 0.1e0"),
        ("f", {"N": "0.1000000000000000055511151231257827"}, "f <= 0.1"),
        ("f", {"N": "0.1000000000000000055511151231257827"}, "f IN (0.1, 7)"),
        ("f", {"N": "9007199254740993"}, "f = 9007199254740992"),
        ("f", {"N": "9007199254740993"}, "f BETWEEN 1 AND 9007199254740992"),
        ("f", {"N": "1E+125"}, "f >= 1e125"),
        ("f", {"N": "1E-130"}, "f <= 1e-130"),
        ("n", {"N": "9223372036854775807"}, "n >= 9223372036854775807"),
        ("n", {"N": "-9223372036854775808"}, "n = -9223372036854775808"),
        ("n", {"N": "9007199254740993"}, "n > 9007199254740992"),
        ("n", {"N": "9007199254740993"}, "n = 9007199254740992e0"),
        ("n", {"N": "5"}, "n < 5.5"),
        ("d", {"N": "999999999999999999999999999999999999.99"}, "d = 999999999999999999999999999999999999.99"),
        ("d", {"N": "-999999999999999999999999999999999999.99"}, "d < 0"),
        ("d", {"N": "0.1"}, "d = 0.1e0"),
        ("d", {"N": "1.25"}, "d < 1.255"),
        ("s", {"S": ""}, "s = ''"),
        ("s", {"S": "\uffff"}, "s < '\U00010000'"),
        ("s", {"S": "\U00010000"}, "s > '\uffff'"),
        ("s", {"S": "a\U0010ffff"}, "s LIKE 'a%'"),
        ("day", {"S": "0001-01-01"}, "day <= DATE '0001-01-01'"),
        ("day", {"S": "9999-12-31"}, "day >= DATE '9999-12-31'"),
        ("day", {"S": "1996-02-29"}, "day > TIMESTAMP '1996-02-28 23:59:59'"),
        ("b", {"BOOL": False}, "NOT b"),
        ("b", {"BOOL": True}, "b > FALSE"),
        ("m", {"N": "5"}, "m = '5'"),
        ("m", {"S": "5"}, "m >= '5'"),
    ],
)
def test_values_at_the_edge_of_a_type_are_received(
    engine: duckdb.DuckDBPyConnection, column: str, value: dict[str, object], condition: str
) -> None:
    stored: list[Item] = [{"k": {"S": "k0"}, column: value}]
    assert matching(engine, TABLE, condition, stored) == {"k0"}

    read = plan_read(only_relation(bound(TABLE, condition)), consistent=False)

    assert received(read.requests, stored) == stored


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
