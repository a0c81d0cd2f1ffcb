"""What is read for subqueries and CTEs that only pass rows on is what is read for the statement without them."""

from collections.abc import Iterator

import pytest

from mcp_server.planning.plan import Goal
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


@pytest.mark.parametrize(
    ("nested", "flat"),
    [
        ("SELECT * FROM (SELECT * FROM orders) x LIMIT 10", "SELECT * FROM orders LIMIT 10"),
        (
            "WITH x AS (SELECT * FROM orders WHERE total > 1) SELECT id, status FROM x",
            "SELECT id, status FROM orders WHERE total > 1",
        ),
        (
            "WITH x(k, l) AS MATERIALIZED (SELECT id, total FROM orders), y AS (SELECT * FROM x WHERE l > 3) "
            "SELECT k FROM y WHERE k = 2 OR k = 7 ORDER BY k DESC LIMIT 2 OFFSET 1",
            "SELECT id AS k FROM orders WHERE total > 3 AND (id = 2 OR id = 7) ORDER BY id DESC LIMIT 2 OFFSET 1",
        ),
        (
            "SELECT a + 1 AS b FROM (SELECT id * 2 AS a FROM orders) x WHERE a > 3 AND length('two') > a LIMIT 2",
            "SELECT (id * 2) + 1 AS b FROM orders WHERE (id * 2) > 3 AND length('two') > (id * 2) LIMIT 2",
        ),
        (
            "SELECT n FROM (SELECT m AS n, s FROM (SELECT id AS m, status AS s FROM orders)) WHERE s = 'open' LIMIT 2",
            "SELECT id AS n FROM orders WHERE status = 'open' LIMIT 2",
        ),
        ("SELECT max(k) FROM (SELECT id AS k FROM orders) x", "SELECT max(id) FROM orders"),
        ("WITH x AS (SELECT * FROM orders), y AS (SELECT 1) FROM x LIMIT 1", "SELECT * FROM orders LIMIT 1"),
    ],
)
def test_what_is_read_is_that_of_the_flat_statement(tables: PlainTables, nested: str, flat: str) -> None:
    one, other = tables.bind(nested), tables.bind(flat)
    assert one.relations[0].goal == other.relations[0].goal
    told = [
        {(conjunct.text, conjunct.predicate, conjunct.faithful) for conjunct in query.relations[0].conjuncts}
        for query in (one, other)
    ]
    assert told[0] == told[1]
    assert (one.stream is None) == (other.stream is None)
    if one.stream is not None and other.stream is not None:
        assert (one.stream.order, one.stream.descending) == (other.stream.order, other.stream.descending)
        assert (one.stream.computed, one.stream.calculated) == (other.stream.computed, other.stream.calculated)
    assert one.statement != other.statement  # the engine runs what was written


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (SELECT DISTINCT status FROM orders) x LIMIT 3",
        "SELECT * FROM (SELECT status FROM orders GROUP BY status) x LIMIT 3",
        "SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) x LIMIT 3",
        "SELECT * FROM (SELECT count(*) AS n FROM orders) x LIMIT 3",
        "SELECT * FROM (SELECT * FROM orders ORDER BY id) x LIMIT 3",
        "SELECT * FROM (SELECT * FROM orders LIMIT 5) x LIMIT 3",
        "SELECT * FROM (SELECT id FROM orders QUALIFY row_number() OVER () = 1) x LIMIT 3",
        "SELECT * FROM (SELECT unnest([id, 2]) AS n FROM orders) x LIMIT 3",
        "SELECT * FROM (SELECT random() AS n FROM orders) x WHERE n > 1 AND n > 2 LIMIT 3",
        "SELECT * FROM (SELECT id FROM orders UNION ALL SELECT 7) x LIMIT 3",
        "SELECT * FROM (SELECT id, id + 1 AS id FROM orders) x LIMIT 3",
        "WITH x AS (SELECT id FROM orders) SELECT * FROM x WHERE id IN (SELECT id FROM x) LIMIT 3",
        "WITH x AS (SELECT id FROM orders), y AS (SELECT max(id) FROM x) SELECT id FROM x LIMIT 3",
        "WITH x AS (SELECT id FROM orders) SELECT a.id FROM x AS a, x AS b LIMIT 3",
        "WITH RECURSIVE x AS (SELECT id FROM orders UNION ALL SELECT id FROM x WHERE id < 0) SELECT id FROM x LIMIT 3",
    ],
)
def test_what_does_more_than_to_pass_rows_on_needs_all(tables: PlainTables, sql: str) -> None:
    query = tables.bind(sql)
    assert [relation.goal for relation in query.relations] == [None] * len(query.relations)
    assert query.stream is None


def test_a_cte_that_is_read_twice_is_not_narrowed_by_one_of_its_readers(tables: PlainTables) -> None:
    sql = "WITH x AS (SELECT id FROM orders) SELECT id FROM x WHERE id = 2 AND 1 < (SELECT max(id) FROM x)"
    (relation,) = tables.bind(sql).relations
    assert relation.conjuncts == ()


def test_values_that_grow_with_every_subquery_are_not_put_together(tables: PlainTables) -> None:
    sql = "SELECT id AS n FROM orders"
    for depth in range(12):
        sql = f"SELECT n + n AS n FROM ({sql}) x{depth}"
    query = tables.bind(f"{sql} LIMIT 3")
    assert (query.relations[0].goal, query.stream) == (None, None)


def test_a_condition_on_what_is_computed_does_not_end_a_read_early(tables: PlainTables) -> None:
    (relation,) = tables.bind(
        "SELECT a FROM (SELECT id * 2 AS a FROM orders WHERE id = 3) x WHERE a > 7 LIMIT 1"
    ).relations
    assert relation.goal == Goal(1)
    assert [conjunct.text for conjunct in relation.conjuncts] == ["id = 3", "(id * 2) > 7"]
