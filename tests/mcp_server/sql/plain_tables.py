"""Small tables in DuckDB, the catalogue's view of them, and their rows as streams that can be read once."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from mcp_server.domain.schema import AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.plan import Relation
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import TableName, parse

DDL = """
CREATE SCHEMA demo; SET search_path = 'demo';
CREATE TABLE orders (id BIGINT, "Customer" BIGINT, total DECIMAL(38,2), status VARCHAR, placed DATE);
INSERT INTO orders VALUES (1, 1, 10, 'open', '2024-01-01'), (2, 1, 25.5, 'paid', '2024-01-15'),
    (3, 2, 30.5, 'open', '2024-02-10'), (4, NULL, 20, 'paid', NULL), (5, 3, NULL, 'open', '2024-03-01'),
    (6, 9, 99.99, NULL, '2023-12-31');
CREATE TABLE customers (id BIGINT, name VARCHAR, country VARCHAR);
INSERT INTO customers VALUES (1, 'Ada', 'AT'), (2, 'Bo', 'DE'), (3, 'Cy', NULL), (4, 'Di', 'AT');
CREATE TABLE items (id BIGINT, label VARCHAR, tags VARCHAR[], info JSON);
INSERT INTO items VALUES (1, 'one', ['a', 'b'], '{"color": "red", "size": 3, "sizes": [1, 2]}'), (2, 'two', [], NULL),
    (3, 'three', NULL, '{"color": "blue", "size": null}'), (8, 'eight', ['a', 'c', 'd'], '{"size": 8, "sizes": []}'),
    (9, 'color', ['e'], '{"a.b": "dotted", "a": {"b": "nested"}, "": "empty", "[0]": "bracket", "0": "zero"}');
CREATE TABLE prices (since DATE, grade VARCHAR, price DECIMAL(38,2));
INSERT INTO prices VALUES ('2024-01-01', 'a', 1.5), ('2024-02-01', 'a', 2), ('2024-03-01', 'b', 2.5);
CREATE TABLE parts (id BIGINT, parent BIGINT);
INSERT INTO parts VALUES (1, NULL), (2, 1), (3, 1), (4, 2), (5, 4);
CREATE TABLE numbers (id BIGINT, whole BIGINT, exact DECIMAL(38,2), f DOUBLE);
INSERT INTO numbers VALUES (1, 9007199254740992, 9007199254740992.01, 9007199254740992), (2, 9007199254740993,
    9007199254740993, 0.1), (3, 9007199254740994, 9007199254740992.02, '-0'), (4, 1, 0.1, 0), (5, NULL, NULL, NULL);
CREATE TABLE odd ("Odd Name" BIGINT, "odd.dotted" VARCHAR, "select" BIGINT, "naïve" VARCHAR, "quote""d" VARCHAR,
    "UPPER" VARCHAR, "lower" VARCHAR);
INSERT INTO odd VALUES (1, 'd', 2, 'n', 'q', 'U', 'l'), (2, 'e', 0, 'm', 'r', 'V', 'k');
CREATE TABLE "odd-table" ("a-b" BIGINT);
INSERT INTO "odd-table" VALUES (1), (2);
"""

_KINDS = {
    "BIGINT": (ColumnType(TypeKind.BIGINT), AttributeType.NUMBER),
    "DECIMAL(38,2)": (ColumnType(TypeKind.DECIMAL, scale=2), AttributeType.NUMBER),
    "DOUBLE": (ColumnType(TypeKind.DOUBLE), AttributeType.NUMBER),
    "VARCHAR": (ColumnType(TypeKind.VARCHAR), AttributeType.STRING),
    "DATE": (ColumnType(TypeKind.DATE), AttributeType.STRING),
    "JSON": (ColumnType(TypeKind.JSON), AttributeType.MAP),
    "VARCHAR[]": (ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.VARCHAR)), AttributeType.LIST),
}


@dataclass(frozen=True, slots=True)
class PlainTables:
    """The tables themselves, as the catalogue knows them, and an empty database for statements about their rows."""

    connection: duckdb.DuckDBPyConnection
    tables: dict[str, Table]
    engine: duckdb.DuckDBPyConnection

    def bind(self, sql: str) -> Query:
        """Binds a statement against these tables."""
        statement = parse(sql, None)
        by_folded = {name.lower(): table for name, table in self.tables.items()}
        return bind(statement, "demo", {name: by_folded[name.name.lower()] for name in statement.tables})

    def run(self, query: Query, *, narrowed: bool, errors_as_json: bool = False) -> duckdb.DuckDBPyConnection:
        """Runs a bound query, with each relation a stream that can be read once unless it asks for more.

        `narrowed` relations only have the rows that meet their conjuncts.
        """
        engine = self.engine.cursor()  # what is registered with it ends with it
        engine.execute(f"SET errors_as_json = {errors_as_json}")
        for relation in query.relations:
            engine.register(relation.name, self._rows(relation, narrowed))
        return engine.execute(query.statement)

    def _rows(self, relation: Relation, narrowed: bool) -> pa.Table | pa.RecordBatchReader:
        columns = ", ".join('"' + column.name.replace('"', '""') + '"' for column in relation.columns)
        conditions = " AND ".join(f"({conjunct.text})" for conjunct in relation.conjuncts) if narrowed else ""
        sql = f'SELECT {columns} FROM demo."{relation.table.name}" WHERE {conditions or "true"}'
        rows = self.connection.sql(sql).to_arrow_table()
        for place, column in enumerate(relation.columns):
            if column.type.kind is TypeKind.JSON:
                field = pa.field(column.name, pa.json_(pa.string()))
                rows = rows.set_column(place, field, rows.column(place).cast(field.type))
        return rows if relation.materialise else rows.to_reader(max_chunksize=2)


def plain_tables() -> Iterator[PlainTables]:
    """Fresh tables; closes them in the end."""
    connection, engine = duckdb.connect(), duckdb.connect()
    for statement in filter(str.strip, DDL.split(";\n")):
        connection.execute(statement)
    found: dict[str, list[Column]] = {}
    for table, column, kind in connection.execute(
        """SELECT table_name, column_name, data_type FROM duckdb_columns()
        WHERE schema_name = 'demo' ORDER BY column_index"""
    ).fetchall():
        type_, attribute = _KINDS[kind]
        found.setdefault(table, []).append(Column(column, type_, frozenset({attribute})))
    tables = {name: make_table(name, columns) for name, columns in found.items()}
    yield PlainTables(connection, tables, engine)
    connection.close()
    engine.close()


def make_table(name: str, columns: list[Column], schema: str = "demo") -> Table:
    """A table whose partition key is its first column."""
    attribute = next(iter(columns[0].attribute_types))
    return Table(
        schema=schema,
        name=name,
        physical_name=name,
        hash_key=KeyAttribute(columns[0].name, attribute),
        range_key=None,
        indexes=(),
        columns=tuple(columns),
        item_count=0,
        size_bytes=0,
        refreshed_at=0,
    )


__all__ = ["PlainTables", "TableName", "make_table", "plain_tables"]
