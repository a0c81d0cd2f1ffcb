"""Names the tables of a statement so that no CTE, alias or schema can be taken for another."""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.names import fold
from mcp_server.domain.schema import Table
from mcp_server.sql.positions import position_of
from mcp_server.sql.tables import TableName, real_tables, table_name

PREFIX = "\N{SECTION SIGN}table"
"""Start of the internal names; no statement can hold them by accident, and they never reach the engine."""


def name_sources(
    query: exp.Query, text: str, default_schema: str, known: Mapping[TableName, Table]
) -> dict[str, Table]:
    """Gives each table an internal name and each reference an alias, in place; internal names to tables.

    Columns named `schema.table.column` are changed to name the alias.
    """
    internal = {name: f"{PREFIX}{number}" for number, name in enumerate(known)}
    by_select: dict[int, dict[tuple[str, str], str]] = {}
    for node in real_tables(query):
        name = table_name(node)
        if node.args.get("alias") is not None and node.args["alias"].columns:
            raise Failure(
                FailureCode.SYNTAX_NOT_SUPPORTED,
                "The columns of a table cannot be renamed in FROM.",
                "Rename them in a subquery: `(SELECT a AS x FROM table) AS name`.",
                position=position_of(text, node),
            )
        schema = fold(name.schema or default_schema)
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(name.name, quoted=True)))
            scope = by_select.setdefault(id(node.find_ancestor(exp.Select)), {})
            for other_schema, other in scope:
                if other == fold(name.name):
                    raise Failure(
                        FailureCode.AMBIGUOUS_NAME,
                        f'Two tables are called "{name.name}" in the same FROM clause'
                        + (", each of another schema." if other_schema != schema else "."),
                        "Give each an alias: `table AS name`.",
                        position=position_of(text, node),
                    )
            scope[schema, fold(name.name)] = name.name
        node.set("this", exp.to_identifier(internal[name], quoted=True))
        node.set("db", None)
    for column in list(query.find_all(exp.Column)):
        if column.args.get("db"):
            _drop_schema(column, by_select)
    return {internal[name]: table for name, table in known.items()}


def _drop_schema(column: exp.Column, by_select: Mapping[int, Mapping[tuple[str, str], str]]) -> None:
    """Of `a.b.c`: when a is a schema and b its table here. Otherwise c is a field of column b of table a."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        alias = by_select.get(id(select), {}).get((fold(column.db), fold(column.table)))
        if alias is not None and not column.args.get("catalog"):
            column.set("db", None)
            column.set("table", exp.to_identifier(alias, quoted=True))
            return
        select = select.find_ancestor(exp.Select)
