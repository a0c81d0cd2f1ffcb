"""Which table references of a query name tables, and which name its own CTEs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from mcp_server.domain.failures import Failure, Position
from mcp_server.domain.failures.schemas import SelfDescription
from mcp_server.domain.failures.tables import NameOfThreeParts
from mcp_server.domain.names import fold
from mcp_server.sql.positions import position_of

_CATALOGUES = frozenset({"information_schema", "pg_catalog"})


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a statement names it, in the statement's spelling. `schema` is None where the default applies."""

    schema: str | None
    name: str


def table_name(table: exp.Table) -> TableName:
    """The name that a table node holds."""
    return TableName(table.db or None, table.name)


def real_tables(found: Sequence[exp.Expr]) -> list[exp.Table]:
    """The nodes that name tables, not CTEs and not table functions; `found` are all nodes of a query."""
    named = [node for node in found if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)]
    return [table for table in named if cte_of(table) is None] if exp.With in set(map(type, found)) else named


def cte_of(table: exp.Table) -> exp.CTE | None:
    """The CTE that a table reference names, or None if it names a table.

    A CTE is in scope in the query it belongs to and in the CTEs after it; in itself only when recursive.
    """
    if table.db or not isinstance(table.this, exp.Identifier):
        return None
    name = fold(table.name)
    below: exp.Expr = table
    above = table.parent
    while above is not None:
        if isinstance(below, exp.CTE) and isinstance(above, exp.With):
            position = above.expressions.index(below)
            visible = above.expressions[: position + 1] if above.recursive else above.expressions[:position]
        else:
            with_ = above.args.get("with_")
            visible = with_.expressions if with_ is not None and with_ is not below else []
        for cte in reversed(visible):
            if fold(cte.alias) == name:
                assert isinstance(cte, exp.CTE)
                return cte
        below, above = above, above.parent
    return None


def place_of_schema(found: Sequence[exp.Expr], schema: str, text: str) -> Position | None:
    """Where a table of that schema is named first among all nodes of a query."""
    return next((position_of(text, one) for one in real_tables(found) if fold(one.db) == fold(schema)), None)


def place_of_table(found: Sequence[exp.Expr], schema: str, name: str, text: str, default: str) -> Position | None:
    """Where that table is named first among all nodes of a query; without its schema in the default one."""
    tables = [one for one in real_tables(found) if fold(one.db or default) == fold(schema)]
    return next((position_of(text, one) for one in tables if one.name == name), None)


def table_names(found: Sequence[exp.Expr], text: str) -> frozenset[TableName]:
    """The tables that a query reads, of which `found` are all nodes.

    Raises unknown_table for names of more than two parts, unknown_schema for the schemas in which databases describe
    themselves.
    """
    tables = real_tables(found)
    for table in tables:
        if table.catalog:
            written = f"{table.catalog}.{table.db}.{table.name}"
            raise Failure(NameOfThreeParts(written), position=position_of(text, table))
        if table.db.lower() in _CATALOGUES:
            raise Failure(SelfDescription(table.db), position=position_of(text, table))
    return frozenset(table_name(table) for table in tables)
