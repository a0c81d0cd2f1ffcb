"""Binds a statement to the catalogue: every name is resolved, every table reference becomes a relation."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_server.access.footprint import Footprint
from mcp_server.planning.plan import Relation
from mcp_server.planning.schema import Table
from mcp_server.sql.parse import Statement, TableName


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

    Raises Failure: unknown_column, ambiguous_name, unknown_table, syntax_not_supported.
    """
    raise NotImplementedError
