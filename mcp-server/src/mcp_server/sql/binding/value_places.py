"""Finds where a value comes from: a column of a table, or a part of one, and the type that is there.

Also where `unnest` gives the value, a subquery hands it on, or any place of a list is named.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import ColumnType, Path, Table, TypeKind
from mcp_server.sql.binding.table_columns import Names, TableColumn
from mcp_server.sql.binding.unshaped_fields import key_of

FIELDS = (exp.Dot, exp.Bracket, exp.StructExtract)

KnownColumn = Callable[[exp.Expr], TableColumn | None]
"""The table's column that a node is, as `columns_that` finds it."""


class Place(NamedTuple):
    """Where a value comes from: a column of a table and the path into it, with the type that is there."""

    origin: TableColumn
    path: Path
    type: ColumnType


class Places:
    """The places of values of one statement, in the columns that are `known`."""

    def __init__(self, known: KnownColumn, query: exp.Query, internal: Mapping[str, Table]) -> None:
        self.known = known
        self._query, self._internal = query, internal

    @cached_property
    def names(self) -> Names:
        """Made out only where something is compared with numbers that is no column of a table."""
        return Names(self._query, self._internal)

    def of(self, node: exp.Expr) -> Place | None:
        """The place of a value; None where it is computed, or of a column that is not known."""
        node = node.unnest()
        if not isinstance(node, FIELDS):
            return self._whole(node)
        whole = self.of(node.this)
        if whole is None:
            return None
        if whole.type.kind is TypeKind.LIST and isinstance(node, exp.Bracket) and len(node.expressions) == 1:
            return whole if isinstance(node.expressions[0], exp.Slice) else _element(whole)
        name = key_of(node)
        fields = [one for one in whole.type.fields if name is not None and fold(one[0]) == fold(name)]
        return Place(whole.origin, (*whole.path, fields[0][0]), fields[0][1]) if fields else None

    def _whole(self, root: exp.Expr) -> Place | None:
        """Where a column comes from, or an element of a list."""
        match root:
            case exp.Column():
                found = self.known(root)
                if found is not None:
                    return Place(found, (), found.column.type)
                origin = self.names.origin(root)
                return self.of(origin) if origin is not None and not isinstance(origin, exp.Column) else None
            case exp.Unnest(expressions=[exp.Expr() as list_]):
                return _element(self.of(list_))
            case exp.Explode(this=exp.Expr() as list_) if not root.expressions:
                return _element(self.of(list_))
        return None


def _element(of: Place | None) -> Place | None:
    """Any element of the list that is there."""
    if of is None or of.type.element is None:
        return None
    return Place(of.origin, (*of.path, None), of.type.element)
