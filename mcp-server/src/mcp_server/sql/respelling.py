"""A statement with another name in the place of a table's or a schema's."""

from collections.abc import Iterator
from typing import Literal

from sqlglot import exp

from mcp_server.domain.failures import Meant
from mcp_server.domain.names import quoted
from mcp_server.sql.gate.parse import Statement, TableName
from mcp_server.sql.tables import real_tables, table_name

Part = Literal["schema", "table"]


def with_other_name(statement: Statement, part: Part, name: TableName, meant: str) -> Meant | None:
    """The statement in which that part of a table's name is another one, wherever it stands; None if that is unsure."""
    edits = {_place(identifier) for identifier in _identifiers(statement, part, name)}
    return _edited(statement.text, edits, quoted(meant))


def without_schema(statement: Statement, name: TableName) -> Meant | None:
    """The statement that reads from the table `a` where it has `a.b`."""
    tables = [table for table in real_tables(statement.nodes) if table_name(table) == name]
    places = [(_place(table.args["db"]), _place(table.this)) for table in tables]
    edits = {(first[0], last[1]) if first and last else None for first, last in places}
    return _edited(statement.text, edits, quoted(str(name.schema)))


def _identifiers(statement: Statement, part: Part, name: TableName) -> Iterator[exp.Expr | None]:
    for table in real_tables(statement.nodes):
        if part == "schema" and table.db == name.schema:
            yield table.args["db"]
        elif part == "table" and table_name(table) == name:
            yield table.this
    for node in statement.nodes:
        if isinstance(node, exp.Column) and part == "schema" and node.db == name.schema:
            yield node.args["db"]
        elif (
            isinstance(node, exp.Column)
            and part == "table"
            and node.table == name.name
            and node.db in ("", name.schema)
        ):
            yield node.args["table"]


def _place(identifier: exp.Expr | None) -> tuple[int, int] | None:
    start, end = (identifier.meta.get(part) for part in ("start", "end")) if identifier is not None else (None, None)
    return (start, end + 1) if isinstance(start, int) and isinstance(end, int) else None


def _edited(text: str, edits: set[tuple[int, int] | None], ours: str) -> Meant | None:
    if not edits or None in edits:
        return None
    for start, end in sorted((edit for edit in edits if edit is not None), reverse=True):
        text = f"{text[:start]}{ours}{text[end:]}"
    return Meant(text)
