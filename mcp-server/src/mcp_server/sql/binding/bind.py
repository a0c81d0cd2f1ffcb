"""Binds a statement to the catalogue: every name is resolved, every table reference becomes a relation."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.schema import DOCUMENT, DOCUMENT_COLUMN, Column, Table
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.sql.binding.expansion import check_expansion
from mcp_server.sql.binding.output_names import name_projections, restore_names
from mcp_server.sql.binding.references import Reference, references
from mcp_server.sql.binding.resolution_failures import resolution_failure
from mcp_server.sql.binding.source_names import name_sources
from mcp_server.sql.binding.spelling import Spelling, respell, spelling_of
from mcp_server.sql.dialect import Dialect, to_sql
from mcp_server.sql.gate.allow_list import too_deep
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.lowering.lower import conjuncts, necessity_of
from mcp_server.sql.positions import position_of
from mcp_server.sql.tables import TableName, real_tables, table_name


@dataclass(frozen=True, slots=True)
class Query:
    """A bound query.

    `statement` is SQL for the relational engine, in which each table reference is the name of one of `relations`
    (`r0`, `r1`, …); a relation's columns are taken by position. `normalized_sql` is the same query for people.
    """

    statement: str
    normalized_sql: str
    relations: tuple[Relation, ...]
    footprint: Footprint


def bind(statement: Statement, default_schema: str, tables: Mapping[TableName, Table]) -> Query:
    """Resolves a statement against `tables`, which has an entry for every one of `statement.tables`.

    Raises Failure: unknown_column, ambiguous_name, unknown_table, syntax_not_supported, syntax_error.
    """
    try:
        return _bind(statement, default_schema, tables)
    except RecursionError:
        raise too_deep() from None


def _bind(statement: Statement, default_schema: str, tables: Mapping[TableName, Table]) -> Query:
    query = statement.expression.copy()
    known = _known_tables(statement, tables)
    spelling = spelling_of(known.values(), query)
    name_projections(query)
    internal = name_sources(query, statement.text, default_schema, known)
    respell(query, spelling)
    check_expansion(query, statement.text)
    query = _qualified(query, statement.text, internal, spelling)
    found = references(query, internal, spelling, statement.text)
    necessity = necessity_of(query, found)
    relations = tuple(
        _relation(number, reference, conjuncts(reference, necessity.of(reference.node)))
        for number, reference in enumerate(found)
    )
    restore_names(query, lambda column: _catalogue_name(column, found))
    normalized = _normalized(query, found)
    for relation, reference in zip(relations, found, strict=True):
        _rename(reference, relation, spelling)
    return Query(to_sql(query), normalized, relations, _footprint(found))


def _known_tables(statement: Statement, tables: Mapping[TableName, Table]) -> dict[TableName, Table]:
    known = {}
    for table in real_tables(statement.expression):
        name = table_name(table)
        if name not in tables:
            raise Failure(FailureCode.UNKNOWN_TABLE, f'There is no table "{name.name}".', "List the tables.")
        known[name] = tables[name]
    return known


def _qualified(query: exp.Query, text: str, internal: Mapping[str, Table], spelling: Spelling) -> exp.Query:
    hidden = {DOCUMENT_COLUMN: "JSON"} if _names_document(query, text) else {}
    columns: dict[str, object] = {
        name: hidden | {spelling.of(column.name): column.type.sql for column in table.columns}
        for name, table in internal.items()
    }
    visible: dict[str, object] = {
        name: [spelling.of(column.name) for column in table.columns if column.name != DOCUMENT_COLUMN]
        for name, table in internal.items()
    }
    schema = MappingSchema(columns, visible=visible, dialect=Dialect, normalize=False)
    try:
        return qualify(query, schema=schema, dialect=Dialect)
    except (SqlglotError, AssertionError) as error:
        raise resolution_failure(str(error), query, text, internal) from None


def _names_document(query: exp.Query, text: str) -> bool:
    named = next((part for part in query.find_all(exp.Identifier) if part.name == DOCUMENT_COLUMN), None)
    if named is not None and any(join.method == "NATURAL" for join in query.find_all(exp.Join)):
        raise Failure(
            FailureCode.SYNTAX_NOT_SUPPORTED,
            f"A statement with {DOCUMENT_COLUMN} cannot use NATURAL JOIN.",
            "Write JOIN … USING (…).",
            position=position_of(text, named),
        )
    return named is not None


def _relation(number: int, reference: Reference, found: tuple[Conjunct, ...]) -> Relation:
    columns = tuple(column for column in (*reference.table.columns, DOCUMENT) if column.name in reference.columns)
    if not columns:
        # The engine cannot take rows without columns; a key is read in any case.
        columns = tuple(column for column in reference.table.columns if column.name == reference.table.hash_key.name)
    return Relation(f"r{number}", reference.table, columns, found, reference.materialise)


def _rename(reference: Reference, relation: Relation, spelling: Spelling) -> None:
    """Puts the relation in the table's place; its columns get their spelling by position."""
    alias = reference.node.args["alias"]
    alias.set("columns", [exp.to_identifier(_spelt(column, spelling), quoted=True) for column in relation.columns])
    reference.node.set("this", exp.to_identifier(relation.name))


def _spelt(column: Column, spelling: Spelling) -> str:
    return spelling.of(column.name)


def _catalogue_name(column: exp.Column, found: tuple[Reference, ...]) -> str:
    for reference in found:
        if reference.node.alias == column.table and column.name in reference.spelt:
            return reference.spelt[column.name]
    return column.name


def _normalized(query: exp.Query, found: tuple[Reference, ...]) -> str:
    """The qualified query with the tables' real names."""
    for reference in found:
        reference.node.set("this", exp.to_identifier(reference.table.name, quoted=True))
        reference.node.set("db", exp.to_identifier(reference.table.schema, quoted=True))
    sql = to_sql(query)
    for reference in found:
        reference.node.set("db", None)
    return sql


def _footprint(found: tuple[Reference, ...]) -> Footprint:
    columns: dict[tuple[str, str], frozenset[str]] = {}
    for reference in found:
        key = (reference.table.schema, reference.table.physical_name)
        columns[key] = columns.get(key, frozenset()) | reference.columns
    return Footprint(tuple(TableAccess(schema, name, used) for (schema, name), used in columns.items()))
