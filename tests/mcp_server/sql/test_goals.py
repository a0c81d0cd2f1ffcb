"""Which statements can do with the first rows of their table, whatever they make of each."""

import contextlib
from collections.abc import Iterator

import pytest
from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.planning.plan import Goal
from mcp_server.planning.predicate import Comparison
from mcp_server.sql.binding import direct
from mcp_server.sql.fields import ColumnOf
from mcp_server.sql.gate.allowed_functions import AGGREGATES, WINDOW_FUNCTIONS
from mcp_server.sql.lowering.operands import Reading
from mcp_server.sql.lowering.predicates import read_condition
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


def _enough(tables: PlainTables, sql: str) -> int | None:
    """How many rows of its only table do."""
    (relation,) = tables.bind(sql).relations
    return relation.goal.rows if relation.goal is not None else None


@pytest.mark.parametrize(
    "made",
    [
        *("id", "*", "upper(status)", "status[1:2]", "year(placed)", "date_trunc('month', placed)", "total / 0"),
        *("{'a': id}", "[id, 2]", "CASE WHEN id > 1 THEN 'a' END", "id IN (1, 2)", "strip_accents(status)"),
        *("greatest(id, total)", "list_sum([id])", "list_max([id, 1])", "COALESCE(status, 'x')", "range(id)"),
        *("status LIKE 'o%'", "id BETWEEN 1 AND 2", "TRY_CAST(status AS INT)", "to_json(status)", "random()"),
    ],
)
def test_what_is_made_of_one_row_at_a_time_needs_the_first_rows(tables: PlainTables, made: str) -> None:
    assert _enough(tables, f"SELECT {made} AS made FROM orders LIMIT 3 OFFSET 1".replace("* AS made", "*")) == 4


_CALLS = ("{}()", "{}(*)", "{}(id)", "{}(id, total)", "upper({}(DISTINCT id))", "{}(id ORDER BY id) + 1")


@pytest.mark.parametrize("name", AGGREGATES.split())
def test_an_aggregate_needs_all_rows(tables: PlainTables, name: str) -> None:
    """Also where the parser does not know it for one."""
    goals = []
    for call in _CALLS:
        with contextlib.suppress(Failure):  # not every one can be called so
            goals.append(_enough(tables, f"SELECT {call.format(name)} FROM orders LIMIT 3"))
    assert set(goals) == {None}


@pytest.mark.parametrize("name", [*WINDOW_FUNCTIONS.split(), "sum", "count"])
def test_a_window_needs_all_rows(tables: PlainTables, name: str) -> None:
    arguments = "id, 2" if name == "nth_value" else "id"
    assert _enough(tables, f"SELECT {name}({arguments}) OVER (ORDER BY placed) FROM orders LIMIT 3") is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT unnest(tags) FROM items LIMIT 3",
        "SELECT id, upper(unnest(tags)) FROM items LIMIT 3",
        "SELECT DISTINCT label FROM items LIMIT 3",
        "SELECT label FROM items ORDER BY upper(label) LIMIT 3",
        "SELECT label FROM items GROUP BY label LIMIT 3",
        "SELECT label FROM items QUALIFY row_number() OVER () = 1 LIMIT 3",
        "SELECT label FROM items LIMIT 3 OFFSET (SELECT 1)",
        "SELECT label FROM items",
    ],
)
def test_what_does_not_make_one_row_of_each_needs_all(tables: PlainTables, sql: str) -> None:
    assert _enough(tables, sql) is None


@pytest.mark.parametrize(
    ("outputs", "goal"),
    [
        ("min(id)", Goal(1, "id", present=True)),
        ("max(id)", Goal(1, "id", descending=True, present=True)),
        ("min(id), max(id)", Goal(1, "id", present=True, both_ends=True)),
        ("max(id) AS a, min(id) AS b, max(id) AS c", Goal(1, "id", present=True, both_ends=True)),
        ("max(id), max(id)", Goal(1, "id", descending=True, present=True)),
        *(
            (outputs, None)
            for outputs in ("min(id), max(total)", "min(id), count(*)", "min(id) + 1, max(id)", "min(id), 1")
        ),
        *(
            (outputs, None)
            for outputs in ("min(id), max(DISTINCT id)", "min(id), max(id) OVER ()", "min(id, 2), max(id)")
        ),
    ],
)
def test_the_ends_of_one_column_are_the_first_row_and_the_last(
    tables: PlainTables, outputs: str, goal: Goal | None
) -> None:
    (relation,) = tables.bind(f"SELECT {outputs} FROM orders WHERE id > 3").relations
    assert relation.goal == goal


@pytest.mark.parametrize("sql", ["SELECT id FROM orders WHERE id = 7 LIMIT 3", "SELECT id FROM orders WHERE id = 7"])
def test_a_condition_is_looked_at_once_for_what_is_certain_of_it(
    tables: PlainTables, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the goal of a LIMIT, and for whether a statement is answered without the relational engine."""
    looked_at: list[str] = []

    def read(node: exp.Expr, column_of: ColumnOf) -> Reading | None:
        looked_at.append(node.sql())
        return read_condition(node, column_of)

    monkeypatch.setattr(direct, "read_condition", read)
    query = tables.bind(sql)
    assert query.direct is not None
    assert query.direct.conditions == (Comparison("id", "=", 7),)
    assert len(looked_at) == 1
