"""The references to tables in a qualified query, and the columns that each of them needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.sources import UnexpandedStar, UnknownQualifier, WholeRow
from mcp_server.domain.schema import DOCUMENT, ColumnType, Table
from mcp_server.sql.fields import needed
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import Sources


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference to a table: its node, the columns used through it, and the statement's spelling of each column.

    Of a column in which only some fields are used, the type has only those. `materialise` tells that the engine may
    read it more than once.
    """

    node: exp.Table
    table: Table
    columns: Mapping[str, ColumnType]
    spelt: Mapping[str, str]
    materialise: bool


def references(
    sources: Sources, internal: Mapping[str, Table], spelt: Mapping[str, Mapping[str, str]], text: str
) -> tuple[Reference, ...]:
    """Every reference of a qualified query, in the order of the text; `spelt` has its table's columns by spelling."""
    nodes = [node for node in sources.tables if node.name in internal]
    uses: dict[int, dict[str, list[exp.Column]]] = {id(node): {} for node in nodes}
    for whole in sources.rows:
        raise Failure(WholeRow(whole.name), position=position_of(text, whole))
    for column, _, source in sources.columns:
        if column.args.get("db"):
            raise Failure(UnknownQualifier(f"{column.db}.{column.table}"), position=position_of(text, column))
        if source is None or id(source) not in uses:
            continue
        if isinstance(column.this, exp.Star):
            raise Failure(UnexpandedStar(), position=position_of(text, column))
        uses[id(source)].setdefault(column.name, []).append(column)
    for block in sources.blocks:
        if any(isinstance(projection, exp.Star) for projection in block.select.expressions) and any(
            id(source) in uses for source in block.sources.values()
        ):
            raise Failure(UnexpandedStar(), position=position_of(text, block.select))
    found = []
    for node in nodes:
        table = internal[node.name]
        of_table = spelt[node.name]
        pivoted = bool(node.args.get("pivots")) or (sources.pivots and node.find_ancestor(exp.Pivot) is not None)
        used = {of_table[name]: found for name, found in uses[id(node)].items() if name in of_table}
        columns = _columns(table, used)
        if pivoted:
            # The columns that a pivot does not name are its groups.
            columns |= {column.name: column.type for column in table.columns}
        # DuckDB scans a relation again on every round of a recursion, also through a CTE outside of it.
        found.append(Reference(node, table, columns, of_table, sources.recursive or pivoted))
    return tuple(found)


def _columns(table: Table, uses: Mapping[str, Sequence[exp.Column]]) -> dict[str, ColumnType]:
    used = {column.name: column.type for column in (*table.columns, DOCUMENT) if column.name in uses}
    return {name: needed(used[name], found) for name, found in uses.items()}
