"""Plain statements are qualified here as the parser's resolver qualifies them, to the letter."""

import random
from collections.abc import Iterator, Mapping

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import Table
from mcp_server.sql.binding import bind as binding
from mcp_server.sql.binding.bind import Query
from mcp_server.sql.binding.resolution import resolve
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.planning.typed_tables import TABLES as TYPED
from tests.mcp_server.sql.plain_tables import plain_tables
from tests.mcp_server.sql.test_same_results import STATEMENTS
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.mcp_server.sql.test_tpch_plans import TABLES as TPCH
from tests.support.random_sql.statements import Statements

RANDOM = 150

LEFT = [
    "SELECT * FROM orders",
    "SELECT o.* FROM orders o",
    "SELECT id + 1 AS next, next + 1 AS over FROM orders",
    "SELECT id % 2 AS odd, count(*) AS n FROM orders GROUP BY odd",
    "SELECT id % 2 AS odd FROM orders WHERE odd = 1",
    "SELECT status, count(*) AS n FROM orders GROUP BY status HAVING n > 1",
    "SELECT status, count(*) AS n FROM orders GROUP BY 1 ORDER BY status",
    "SELECT status AS s FROM orders GROUP BY status ORDER BY status",
    "SELECT id AS a, status AS b FROM orders ORDER BY 2",
    "SELECT id, count(*) OVER w AS n FROM orders WINDOW w AS (ORDER BY id)",
    "SELECT DISTINCT ON (status) id FROM orders",
    "SELECT o.id FROM orders o JOIN customers USING (id)",
    "SELECT o.id FROM orders o SEMI JOIN customers c ON o.id = c.id",
    "SELECT info.color FROM items",
    "SELECT tag FROM items, unnest(tags) AS t(tag)",
    "SELECT o.id FROM orders o WHERE EXISTS (SELECT 1 FROM items GROUP BY label HAVING max(items.id) > o.id)",
    "SELECT (SELECT count(*) FROM items) FROM orders",
    "SELECT id FROM orders UNION ALL BY NAME SELECT id FROM items",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 AS n FROM r WHERE n < 3) SELECT n FROM r",
    "SELECT x.n FROM orders o, (SELECT o.id AS n) x",
    "SELECT whatever FROM orders",
    "SELECT label FROM items a, items b",
]
"""What is not plain."""

PLAIN = [
    "SELECT id, Total FROM orders WHERE status = 'open' ORDER BY total DESC, id LIMIT 3",
    "SELECT o.id, name FROM orders o JOIN customers c ON o.customer = c.id WHERE country = 'AT'",
    "SELECT status, count(*) AS n FROM orders GROUP BY status HAVING count(total) > 1 ORDER BY n, status",
    "WITH c(n) AS (SELECT id FROM orders) SELECT n FROM c UNION SELECT id FROM items ORDER BY n",
    "SELECT id FROM orders WHERE EXISTS (SELECT 1 AS x FROM items i WHERE i.id = customer AND label = status)",
    "SELECT id FROM orders WHERE total > (SELECT avg(total) AS a FROM orders WHERE id IN (SELECT parent FROM parts))",
    "SELECT x.n FROM (SELECT id AS n, label FROM items) AS x (n, l) WHERE l LIKE 'o%'",
    "SELECT id, sum(total) OVER (PARTITION BY status ORDER BY placed) AS s FROM orders ORDER BY total + 1, placed",
    """SELECT "Odd Name", "select" FROM odd ORDER BY "Odd Name" """,
]


@pytest.fixture(scope="module")
def tables() -> Iterator[Mapping[str, Table]]:
    for plain in plain_tables():
        yield {name.lower(): table for name, table in plain.tables.items()}


class _Bound:
    """Binds statements, with or without what is under test, and tells which were plain."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.plain: list[bool] = []

    def outcome(self, sql: str, tables: Mapping[str, Table], *, resolver_alone: bool) -> object:
        """All that is made of a statement."""

        def resolved(query: object, names: object) -> bool:
            self.plain.append(not resolver_alone and resolve(query, names))  # type: ignore[arg-type]
            return self.plain[-1]

        self._monkeypatch.setattr(binding, "resolve", resolved)
        try:
            statement = parse(sql, None)
            query = binding.bind(statement, "demo", {name: tables[name.name.lower()] for name in statement.tables})
        except Failure as failure:
            return failure.fact, failure.position, failure.meant
        return _told(query)

    def is_plain(self, sql: str, tables: Mapping[str, Table]) -> bool:
        """Whether a statement is, once it has turned out to be qualified alike in both ways."""
        alone = self.outcome(sql, tables, resolver_alone=True)
        assert self.outcome(sql, tables, resolver_alone=False) == alone
        return self.plain[-1]


def _told(query: Query) -> object:
    reads = query.reads(consistent=False)
    sought = [
        (one.shown, one.column, one.case, one.values(), one.way, one.text, one.escape, one.filters, one.as_json)
        for one in query.sought
    ]
    said = (sought, query.unequal, query.from_zero)
    return query.statement, query.normalized_sql, query.relations, query.footprint, said, query.direct, reads


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> _Bound:
    return _Bound(monkeypatch)


@pytest.mark.parametrize("sql", PLAIN)
def test_plain_statements(bound: _Bound, tables: Mapping[str, Table], sql: str) -> None:
    assert bound.is_plain(sql, tables)


@pytest.mark.parametrize("sql", LEFT)
def test_others_are_left_to_the_resolver(bound: _Bound, tables: Mapping[str, Table], sql: str) -> None:
    assert not bound.is_plain(sql, tables)


@pytest.mark.slow
def test_statements_that_are_odd_in_every_way(bound: _Bound, tables: Mapping[str, Table]) -> None:
    assert {bound.is_plain(sql, tables) for sql in STATEMENTS} == {True, False}


def test_the_statements_of_tpc_h_are_plain(bound: _Bound) -> None:
    assert all(bound.is_plain(path.read_text("utf-8"), TPCH) for path in QUERIES)


@pytest.mark.slow
def test_random_statements(bound: _Bound) -> None:
    statements = Statements(random.Random("resolution"), RANDOM_TABLES, names=["j"])

    assert {bound.is_plain(statements.next(), TYPED) for _ in range(RANDOM)} == {True, False}
