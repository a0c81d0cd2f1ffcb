"""Names are resolved as people mean them, and relations carry what the statement needs and nothing else."""

import time
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from mcp_server.access.footprint import TableAccess
from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.failures.columns import AmbiguousSpelling
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Table, TypeKind
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import TableName, parse
from mcp_server.surface.wording.failures import worded
from tests.mcp_server.sql.plain_tables import PlainTables, make_table, plain_tables


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


def _names(tables: PlainTables, sql: str) -> list[str]:
    return [str(column[0]) for column in tables.run(tables.bind(sql), narrowed=False).description or []]


def _columns(query: Query) -> list[tuple[str, ...]]:
    return [tuple(column.name for column in relation.columns) for relation in query.relations]


class TestTables:
    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELECT 1", set()),
            ('SELECT * FROM a, s.b JOIN "c d" ON true', {(None, "a"), ("s", "b"), (None, "c d")}),
            ("WITH a AS (SELECT * FROM a) SELECT * FROM A", {(None, "a")}),
            ("WITH a AS (SELECT 1) SELECT * FROM s.a", {("s", "a")}),
            ("WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x FROM a) SELECT * FROM a", set()),
            ("WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM b", {(None, "b")}),
            ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN a ON true", {(None, "a")}),
            ("WITH a AS (SELECT 1) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)", {(None, "b")}),
            ("SELECT * FROM range(3), unnest([1]), (VALUES (1)) v", set()),
            ("SELECT * FROM '/etc/passwd'", {(None, "/etc/passwd")}),
        ],
    )
    def test_names_of_ctes_are_no_tables(self, sql: str, expected: set[tuple[str | None, str]]) -> None:
        assert parse(sql, None).tables == {TableName(schema, name) for schema, name in expected}


class TestRelations:
    @pytest.mark.parametrize(
        ("sql", "columns"),
        [
            ("SELECT total FROM orders WHERE status = 'x' ORDER BY placed", [("total", "status", "placed")]),
            ("SELECT count(*) FROM orders", [("id",)]),
            (
                "SELECT id FROM orders WHERE EXISTS (SELECT * FROM customers WHERE name = status)",
                [("id", "status"), ("name",)],
            ),
            ("SELECT EXISTS (SELECT DISTINCT * FROM parts)", [("id", "parent")]),
            ("SELECT a.id FROM orders a JOIN orders b ON a.id = b.customer", [("id",), ("Customer",)]),
            ("SELECT * FROM parts", [("id", "parent")]),
            ("SELECT _doc FROM parts", [("_doc",)]),
            ("SELECT p.*, _DOC FROM parts p", [("id", "parent", "_doc")]),
            (
                "SELECT (SELECT max(total) FROM orders WHERE customer = c.id) FROM customers c",
                [("Customer", "total"), ("id",)],
            ),
        ],
    )
    def test_carry_only_what_is_needed(self, tables: PlainTables, sql: str, columns: list[tuple[str, ...]]) -> None:
        assert sorted(map(sorted, _columns(tables.bind(sql)))) == sorted(map(sorted, columns))

    def test_each_reference_is_one(self, tables: PlainTables) -> None:
        query = tables.bind("SELECT (SELECT max(total) FROM orders) AS m, m + 1 AS n, m + 2 AS o")

        assert [relation.name for relation in query.relations] == ["r0", "r1", "r2"]
        assert tables.run(query, narrowed=False).fetchone()

    @pytest.mark.parametrize(
        ("sql", "materialise"),
        [
            ("WITH o AS (SELECT * FROM orders) SELECT count(*) FROM o a JOIN o b USING (id)", False),
            ("SELECT status, count(*) FROM orders GROUP BY CUBE (status, customer)", False),
            ("WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT id FROM r JOIN orders ON id = x + 1) FROM r", True),
            (
                "WITH b AS (FROM parts) FROM (WITH RECURSIVE r AS (SELECT 1 AS x UNION SELECT id FROM r, b) FROM r)",
                True,
            ),
            ("SELECT * FROM prices PIVOT (max(price) FOR grade IN ('a'))", True),
        ],
    )
    def test_are_materialised_where_they_are_read_again(self, tables: PlainTables, sql: str, materialise: bool) -> None:
        assert {relation.materialise for relation in tables.bind(sql).relations} == {materialise}

    def test_the_footprint_names_every_table_once(self, tables: PlainTables) -> None:
        query = tables.bind("SELECT a.id, b.total, c._doc FROM orders a, orders b, items c, parts d")

        assert set(query.footprint.tables) == {
            TableAccess("demo", "orders", frozenset({"id", "total"})),
            TableAccess("demo", "items", frozenset({"_doc"})),
            TableAccess("demo", "parts", frozenset()),
        }


class TestResultNames:
    @pytest.mark.parametrize(
        ("sql", "names"),
        [
            ("SELECT id, CUSTOMER, orders.Total FROM orders", ["id", "Customer", "total"]),
            ('SELECT id AS "My Id", total AS Total, status AS STATUS FROM orders', ["My Id", "Total", "STATUS"]),
            (
                "SELECT count(*), sum(total), max(total) + 1 FROM orders",
                ["count_star()", "sum(total)", "max(total) + 1"],
            ),
            (
                "SELECT list(id), ARRAY_AGG(id ORDER BY total), list(DISTINCT id) AS ids FROM orders",
                ["list(id)", "array_agg(id ORDER BY total)", "ids"],
            ),
            (
                "SELECT string_agg(status), listagg(status, ';' ORDER BY id DESC), group_concat(DISTINCT status) "
                "FROM orders",
                ["string_agg(status)", "listagg(status, ';' ORDER BY id DESC)", "group_concat(DISTINCT status)"],
            ),
            ("SELECT list(id) OVER (), id FROM orders", ["list(id) OVER ()", "id"]),
            ('SELECT "list(id)" FROM (SELECT list(id) FROM orders)', ["list(id)"]),
            ("SELECT a.id, b.id FROM orders a, items b", ["id", "id"]),
            ("SELECT * FROM odd", ["Odd Name", "odd.dotted", "select", "naïve", 'quote"d', "UPPER", "lower"]),
            ("SELECT * FROM (SELECT id AS MyId FROM orders)", ["MyId"]),
            ("SELECT id AS A FROM orders UNION ALL SELECT id FROM items", ["A"]),
            ("WITH x AS (SELECT CUSTOMER FROM orders) SELECT customer FROM x", ["Customer"]),
            ("SELECT (SELECT max(id) FROM parts) AS Best, (SELECT 1)", ["Best", "(SELECT 1)"]),
            ("VALUES (1, 'a')", ["col0", "col1"]),
            ("SELECT * RENAME (id AS Ident) FROM parts", ["Ident", "parent"]),
            ("SELECT * EXCLUDE (parent) RENAME (ID AS PARENT) FROM parts", ["PARENT"]),
            ("SELECT p.* RENAME (parent AS above) FROM parts p", ["id", "above"]),
            ("SELECT * FROM (SELECT * RENAME (id AS Ident) FROM parts)", ["Ident", "parent"]),
            ("SELECT * FROM parts AS d(x)", ["x", "parent"]),
        ],
    )
    def test_are_those_of_the_statement(self, tables: PlainTables, sql: str, names: list[str]) -> None:
        assert _names(tables, sql) == names


def _result_names(query: Query) -> list[str]:
    """The names that DuckDB gives, with each relation a table of as many columns under other names."""
    with duckdb.connect() as engine:
        for relation in query.relations:
            columns = ", ".join(f"'' AS c{place}" for place in range(len(relation.columns)))
            engine.execute(f"CREATE TABLE {relation.name} AS SELECT {columns}")
        return [str(column[0]) for column in engine.execute(query.statement).description or []]


def _twins() -> Table:
    number, text = ColumnType(TypeKind.BIGINT), ColumnType(TypeKind.VARCHAR)
    names = ("id", "Name", "name", "NAME", "other")
    columns = [Column(name, number if name == "id" else text, frozenset({AttributeType.STRING})) for name in names]
    return make_table("twins", columns)


class TestCase:
    """DynamoDB tells `Name` from `name`; DuckDB does not."""

    def _bind(self, sql: str) -> Query:
        statement = parse(sql, None)
        return bind(statement, "demo", dict.fromkeys(statement.tables, _twins()))

    def test_exact_names_win(self) -> None:
        assert _columns(self._bind("SELECT Name FROM twins WHERE name = 'a'")) == [("Name", "name")]

    def test_names_that_differ_in_case_reach_the_result_apart(self) -> None:
        query = self._bind("SELECT *, Name AS again FROM twins")
        (relation,) = query.relations

        assert relation.columns == _twins().columns
        assert _result_names(query) == ["id", "Name", "name", "NAME", "other", "again"]

    @pytest.mark.parametrize(
        ("sql", "names"),
        [
            ('SELECT x."NAME" FROM (SELECT * FROM twins) x', ["NAME"]),
            ("SELECT * FROM (SELECT * FROM twins) x", ["id", "Name", "name", "NAME", "other"]),
            ('WITH x AS (SELECT "Name", other FROM twins) SELECT * FROM x', ["Name", "other"]),
            ("SELECT * RENAME (other AS Last) FROM (SELECT * FROM twins)", ["id", "Name", "name", "NAME", "Last"]),
        ],
    )
    def test_names_keep_their_case_through_subqueries(self, sql: str, names: list[str]) -> None:
        assert _result_names(self._bind(sql)) == names

    def test_any_case_will_do_where_it_is_unique(self) -> None:
        assert _columns(self._bind("SELECT OTHER FROM TWINS")) == [("other",)]

    def test_otherwise_it_is_ambiguous(self) -> None:
        with pytest.raises(Failure) as caught:
            self._bind("SELECT nAME FROM twins")

        assert caught.value.fact == AmbiguousSpelling("nAME", ("NAME", "Name", "name"))


class TestFailures:
    @pytest.mark.parametrize(
        ("sql", "code", "word", "position"),
        [
            ("SELECT totl FROM orders", "unknown_column", '"total"', Position(1, 8)),
            ("SELECT id\nFROM orders o\nWHERE o.statsu = 'x'", "unknown_column", '"status"', Position(3, 9)),
            ("SELECT name FROM orders", "unknown_column", "Describe", Position(1, 8)),
            ("SELECT id FROM orders a JOIN items b ON a.id = b.id", "ambiguous_name", "a.id or b.id", Position(1, 8)),
            ("SELECT x.id FROM orders o", "unknown_table", "aliases", Position(1, 8)),
            ("SELECT x.* FROM orders o", "unknown_table", "aliases", Position(1, 8)),
            ("SELECT itms.id FROM items", "unknown_table", '"items"', Position(1, 8)),
            ("SELECT other.orders.id FROM orders", "unknown_table", "alias.column", Position(1, 8)),
            ("SELECT * FROM orders, orders", "ambiguous_name", "alias", Position(1, 23)),
            ("SELECT orders FROM orders", "syntax_not_supported", "_doc", Position(1, 8)),
            ("SELECT id FROM orders ORDER BY 7", "unknown_column", "number", Position(1, 32)),
            ("SELECT id FROM orders JOIN items USING (nope)", "unknown_column", "Describe", Position(1, 41)),
            ("WITH x AS (SELECT id FROM orders) SELECT total FROM x", "unknown_column", "aliases", Position(1, 42)),
            ("SELECT * FROM parts, items b JOIN orders USING (id)", "syntax_not_supported", "ON", Position(1, 35)),
            ("SELECT * FROM parts a JOIN orders b USING (id), items", "syntax_not_supported", "ON", Position(1, 28)),
            (
                "SELECT 1 FROM parts a JOIN items b ON true JOIN orders USING (id)",
                "ambiguous_name",
                "alias.column",
                Position(1, 49),
            ),
            ("SELECT _doc FROM parts NATURAL JOIN items", "syntax_not_supported", "USING", Position(1, 8)),
        ],
    )
    def test_say_what_where_and_what_to_do(
        self, tables: PlainTables, sql: str, code: str, word: str, position: Position | None
    ) -> None:
        with pytest.raises(Failure) as caught:
            tables.bind(sql)

        assert (caught.value.code, caught.value.position) == (code, position)
        assert word in worded(caught.value).next_action

    def test_a_table_that_the_catalogue_did_not_give(self) -> None:
        with pytest.raises(Failure) as caught:
            bind(parse("SELECT * FROM orders", None), "demo", {})

        assert caught.value.code is FailureCode.UNKNOWN_TABLE

    def test_aliases_cannot_be_made_to_explode(self, tables: PlainTables) -> None:
        """Each alias names the one before it twice: 2^40 parts in 500 bytes of text."""
        doubling = ", ".join(f"a{number} + a{number} AS a{number + 1}" for number in range(40))

        with pytest.raises(Failure) as caught:
            tables.bind(f"SELECT id AS a0, {doubling} FROM orders")

        assert caught.value.code is FailureCode.SYNTAX_NOT_SUPPORTED

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "sql",
        [
            "WITH c0 AS (FROM orders)"
            + "".join(f", c{n} AS (SELECT * FROM c{n - 1} WHERE id > {n})" for n in range(1, 100))
            + " FROM c99",
            "SELECT 1 FROM orders o0" + "".join(f" JOIN orders o{n} ON o{n}.id = o{n - 1}.id" for n in range(1, 150)),
            "SELECT " + ", ".join(f"id + {n}" for n in range(1_500)) + " FROM orders",
            "SELECT id FROM orders WHERE id IN (" + ", ".join(str(n) for n in range(5_000)) + ")",
        ],
        ids=["CTEs", "joins", "columns", "values"],
    )
    def test_large_statements_are_bound_in_reasonable_time(self, tables: PlainTables, sql: str) -> None:
        """In processor time, which other processes do not spend."""
        started = time.thread_time()

        assert tables.bind(sql).relations

        assert time.thread_time() - started < 10

    def test_long_chains_of_conditions_are_no_problem(self, tables: PlainTables) -> None:
        chain = " OR ".join(f"id = {number}" for number in range(250))

        assert tables.run(tables.bind(f"SELECT count(*) FROM orders WHERE {chain}"), narrowed=True).fetchone() == (6,)


def test_tables_of_two_schemas(tables: PlainTables) -> None:
    other = replace(tables.tables["items"], schema="other", name="orders", physical_name="orders")
    statement = parse("SELECT a.id, other.orders.label FROM demo.orders a JOIN other.orders ON a.id = orders.id", None)
    found = {TableName("demo", "orders"): tables.tables["orders"], TableName("other", "orders"): other}

    query = bind(statement, "demo", found)

    assert [(one.table.schema, one.columns[-1].name) for one in query.relations] == [("demo", "id"), ("other", "label")]
    assert '"other"."orders"' in query.normalized_sql
    assert "r0" not in query.normalized_sql
