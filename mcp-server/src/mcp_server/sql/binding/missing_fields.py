"""Says which field of a map a statement names that no map of the column is known to have, and which may be meant.

DuckDB would say that only of the statement as a whole, and not where.
"""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.failures import Failure, Meant
from mcp_server.domain.failures.columns import UnknownField
from mcp_server.domain.names import NotFound, find_name, fold, quoted
from mcp_server.domain.schema import Column, ColumnType, Path, Table, TypeKind
from mcp_server.sql.binding.resolution_failures import only_table
from mcp_server.sql.binding.spelling import SPELLING, Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.binding.unshaped_fields import key_of
from mcp_server.sql.binding.value_places import FIELDS, Places
from mcp_server.sql.positions import position_of
from mcp_server.sql.trees import nodes_of

_NESTED = (TypeKind.STRUCT, TypeKind.LIST)


def check_fields(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling, text: str) -> None:
    """Raises Failure (unknown_column) of the first such field. Columns have their sources."""
    known = columns_that(_has_fields, query, internal, spelling)
    if known is None:
        return
    places = Places(known, query, internal)
    for node in nodes_of(query, *FIELDS):
        name = key_of(node)
        whole = places.of(node.this) if name is not None else None
        if name is None or whole is None or whole.type.kind is not TypeKind.STRUCT:
            continue
        if not any(fold(field) == fold(name) for field, _ in whole.type.fields):
            raise _unknown(node, name, whole.origin.column, (*whole.path,), whole.type, text, internal)


def _has_fields(column: Column) -> bool:
    type_ = column.type
    if type_.kind not in _NESTED:  # as of nearly all
        return False
    while type_.element is not None:
        type_ = type_.element
    return bool(type_.fields)


def _unknown(
    node: exp.Expr, name: str, column: Column, path: Path, type_: ColumnType, text: str, tables: Mapping[str, Table]
) -> Failure:
    identifier = node.expression if isinstance(node, exp.Dot) else None
    written = str(identifier.meta.get(SPELLING, name)) if identifier is not None else name
    found = find_name(written, sorted(field for field, _ in type_.fields))
    near = found.near if isinstance(found, NotFound) else ()
    fact = UnknownField(written, column.name, path, near, only_table(tables.values()))
    place = position_of(text, identifier) if identifier is not None else None
    return Failure(
        fact,
        position=place or position_of(text, node),
        meant=_respelt(identifier, near[0], text) if identifier is not None and len(near) == 1 else None,
    )


def _respelt(identifier: exp.Expr, meant: str, text: str) -> Meant | None:
    start, end = identifier.meta.get("start"), identifier.meta.get("end")
    if not isinstance(start, int) or not isinstance(end, int):
        return None
    return Meant(f"{text[:start]}{quoted(meant)}{text[end + 1 :]}")
