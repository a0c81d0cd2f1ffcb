"""Which statements make a row of each item of their table, or none: each item is then enough for its own row."""

from datetime import UTC, datetime

import pytest

from mcp_server.domain.schema import AttributeType, Column, ColumnType, TypeKind
from mcp_server.planning.streaming import Stream
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.allowed_functions import PUBLIC_FUNCTIONS
from mcp_server.sql.gate.parse import parse
from mcp_server.sql.now import at_instant
from tests.mcp_server.sql.plain_tables import make_table
from tests.support.function_document import Entry, sections

SALES = make_table(
    "sales",
    [
        Column("id", ColumnType(TypeKind.BIGINT), frozenset({AttributeType.NUMBER})),
        *(Column(name, ColumnType(TypeKind.VARCHAR), frozenset({AttributeType.STRING})) for name in ("shop", "item")),
        Column("qty", ColumnType(TypeKind.BIGINT), frozenset({AttributeType.NUMBER})),
        Column("price", ColumnType(TypeKind.DECIMAL, scale=2), frozenset({AttributeType.NUMBER})),
        Column("day", ColumnType(TypeKind.DATE), frozenset({AttributeType.STRING})),
    ],
)
OF_MANY_ROWS = {"Aggregates", "Window functions", "Table functions"}
"""Their functions make one value of many rows, or many of one."""
OTHER_EVERY_TIME = {"random", "uuid", "gen_random_uuid"}
"""A later page would not go on with the rows that the first one began."""
EXAMPLES = [
    (section, name, entry) for section, entries in sections().items() for entry in entries for name in entry.names
]


def _stream(sql: str) -> Stream | None:
    statement = at_instant(parse(sql, None), datetime(2026, 3, 1, tzinfo=UTC))
    return bind(statement, "demo", dict.fromkeys(statement.tables, SALES)).stream


def test_every_function_that_may_be_called_has_an_example() -> None:
    assert {name for _, name, _ in EXAMPLES} >= PUBLIC_FUNCTIONS


@pytest.mark.parametrize(("section", "name", "entry"), [pytest.param(*example, id=example[1]) for example in EXAMPLES])
def test_all_functions_of_one_row_stream(section: str, name: str, entry: Entry) -> None:
    statement = entry.statement(name)
    if section not in OF_MANY_ROWS and "FROM sales" not in statement:
        statement += " FROM sales"
    makes_a_row_of_each = section not in OF_MANY_ROWS and name not in OTHER_EVERY_TIME
    assert (_stream(statement) is not None) == makes_a_row_of_each
    if makes_a_row_of_each:
        assert _stream(f"SELECT id FROM sales WHERE ({statement[7:].partition(' FROM sales')[0]}) IS NOT NULL")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "shop[1:2]",
            "shop || '!'",
            "INTERVAL 1 DAY",
            "day + INTERVAL 1 DAY",
            "{'a': id}",
            "[id, qty]",
            "shop ~ 'O.*'",
        ),
        *("CASE WHEN qty > 1 THEN shop END", "age(day, DATE '2026-01-01')", "shop COLLATE NOCASE", "id IN (1, 2)"),
        *("greatest(id, list_sum([qty, 2]))", "extract(year FROM day)", "current_date - day", "shop SIMILAR TO 'O.*'"),
    ],
)
def test_syntax_of_one_row_streams(value: str) -> None:
    assert _stream(f"SELECT id, {value} AS made FROM sales")


@pytest.mark.parametrize(
    "value",
    [
        "age(day)",  # up to this morning
        *("random() < 1", "upper(unnest([shop]))", "sum(qty)", "upper(max(shop))", "sum(qty) OVER ()", "(SELECT 1)"),
        *("id IN (SELECT qty FROM sales)", "EXISTS (SELECT 1 FROM sales)", "id = ANY (SELECT qty FROM sales)"),
        *("ARRAY(SELECT 1)", "count(*)", "approx_count_distinct(id)", "explode([id])"),
    ],
)
def test_what_is_of_more_than_one_row_or_of_another_time_does_not(value: str) -> None:
    assert _stream(f"SELECT {value} AS made FROM sales") is None


@pytest.mark.parametrize(
    ("sql", "computed", "calculated"),
    [
        ("SELECT id, price AS p FROM sales", set(), set()),
        ("SELECT id + 1 AS a, abs(price) / qty AS b FROM sales WHERE qty > 1", set(), {"id", "price", "qty"}),
        ("SELECT qty::VARCHAR AS a, typeof(id) AS b, price + 1 AS c FROM sales", {"qty", "id"}, {"price"}),
        ("SELECT qty + 1 AS a, concat(qty, '!') AS b FROM sales", {"qty"}, set()),
        ("SELECT id FROM sales WHERE to_json(price) = '1' AND NOT id BETWEEN 1 AND qty", {"price"}, {"id", "qty"}),
    ],
)
def test_only_what_is_calculated_is_the_same_for_all_types_of_numbers(
    sql: str, computed: set[str], calculated: set[str]
) -> None:
    """Where a type turns out to be wider, a later page goes on only if that makes no difference to its rows."""
    stream = _stream(sql)
    assert stream is not None
    assert (set(stream.computed), set(stream.calculated)) == (computed, calculated)
