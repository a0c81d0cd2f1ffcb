"""The 22 TPC-H queries plan, and what can be pushed down of them is."""

from pathlib import Path

import pytest

from mcp_server.domain.schema import AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.explain import render_plan
from mcp_server.planning.plan import Read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse

QUERIES = sorted((Path(__file__).parents[2] / "tpch" / "queries").glob("q*.sql"))

# TPC-H standard specification, §1.4; a plain name is text, * a number, $ an amount, @ a date, a leading + a key.
_SCHEMA = """
part: +p_partkey* p_name p_mfgr p_brand p_type p_size* p_container p_retailprice$ p_comment
supplier: +s_suppkey* s_name s_address s_nationkey* s_phone s_acctbal$ s_comment
partsupp: +ps_partkey* +ps_suppkey* ps_availqty* ps_supplycost$ ps_comment
customer: +c_custkey* c_name c_address c_nationkey* c_phone c_acctbal$ c_mktsegment c_comment
orders: +o_orderkey* o_custkey* o_orderstatus o_totalprice$ o_orderdate@ o_orderpriority o_clerk o_shippriority*
 o_comment
lineitem: +l_orderkey* +l_linenumber* l_partkey* l_suppkey* l_quantity$ l_extendedprice$ l_discount$ l_tax$ l_returnflag
 l_linestatus l_shipdate@ l_commitdate@ l_receiptdate@ l_shipinstruct l_shipmode l_comment
nation: +n_nationkey* n_name n_regionkey* n_comment
region: +r_regionkey* r_name r_comment
"""
_TYPES = {
    "*": (ColumnType(TypeKind.BIGINT), AttributeType.NUMBER),
    "$": (ColumnType(TypeKind.DECIMAL, scale=2), AttributeType.NUMBER),
    "@": (ColumnType(TypeKind.DATE), AttributeType.STRING),
}


def _tables() -> dict[str, Table]:
    tables = {}
    for line in _SCHEMA.replace("\n ", " ").strip().splitlines():
        name, columns = line.split(":")
        found, keys = [], []
        for word in columns.split():
            type_, attribute = _TYPES.get(word[-1], (ColumnType(TypeKind.VARCHAR), AttributeType.STRING))
            column = word.strip("+*$@")
            found.append(Column(column, type_, frozenset({attribute}), nullable=not word.startswith("+")))
            keys += [KeyAttribute(column, attribute)] if word.startswith("+") else []
        tables[name] = Table(
            schema="demo",
            name=name,
            physical_name=name,
            hash_key=keys[0],
            range_key=keys[1] if len(keys) > 1 else None,
            indexes=(),
            columns=tuple(found),
            item_count=1_000,
            size_bytes=0,
            refreshed_at=0,
        )
    return tables


TABLES = _tables()


def _reads(sql: str) -> list[Read]:
    statement = parse(sql, None)
    query = bind(statement, "demo", {name: TABLES[name.name.lower()] for name in statement.tables})
    return [plan_read(relation, consistent=False) for relation in query.relations]


def test_there_are_all_of_them() -> None:
    assert len(QUERIES) == 22


@pytest.mark.parametrize("path", QUERIES, ids=[path.stem for path in QUERIES])
def test_plans(path: Path) -> None:
    reads = _reads(path.read_text(encoding="utf-8"))

    assert reads
    assert all(read.requests for read in reads)
    assert all("ProjectionExpression" in request.arguments for read in reads for request in read.requests)


@pytest.mark.parametrize(
    ("number", "table", "pushed"),
    [
        (1, "lineitem", "l_shipdate <= "),
        (3, "customer", "c_mktsegment = "),
        (3, "orders", "o_orderdate < "),
        (5, "region", "r_name = "),
        (6, "lineitem", "l_discount BETWEEN "),
        (6, "lineitem", "l_quantity < "),
        (10, "lineitem", "l_returnflag = "),
        (12, "lineitem", "l_shipmode IN "),
        (14, "lineitem", "l_shipdate < "),
        (16, "part", "p_size IN "),
        (20, "part", "p_name LIKE "),
    ],
)
def test_pushes(number: int, table: str, pushed: str) -> None:
    reads = _reads(QUERIES[number - 1].read_text(encoding="utf-8"))

    filters = [text for read in reads if read.relation.table.name == table for text in read.pushed_filters]
    assert any(text.startswith(pushed) for text in filters), filters


def test_an_equality_of_keys_makes_a_query_of_a_join() -> None:
    orders, lineitem = _reads(
        "SELECT * FROM orders o JOIN lineitem l ON o.o_orderkey = l.l_orderkey WHERE o.o_orderkey = 7 AND l_tax > 0.01"
    )

    assert (orders.access, lineitem.access) == ("GetItem", "Query")
    assert render_plan([orders, lineitem]) == (
        "DuckDB runs the whole statement over:\n"
        "├─ r0: GetItem demo.orders\n"
        "│     reason: The conditions name one primary key.\n"
        "│     key condition: o_orderkey = 7\n"
        f"│     columns: {', '.join(column.name for column in TABLES['orders'].columns)}\n"
        "│     estimate: 1 items, 1 pages, 0.5 read units\n"
        "└─ r1: Query demo.lineitem\n"
        "      reason: The conditions name one partition of the table.\n"
        "      key condition: l_orderkey = 7\n"
        "      filter in DynamoDB: l_tax > 0.01\n"
        f"      columns: {', '.join(column.name for column in TABLES['lineitem'].columns)}\n"
        "      estimate: 31 items, 1 pages, 2 read units\n"
        "      instead of: Scan, 1000 items, 49 read units: it takes more read units"
    )


def test_a_statement_without_tables_reads_nothing() -> None:
    assert render_plan(_reads("SELECT 1")) == "DuckDB runs the statement; no table is read."
