"""Lets lists without one type be counted, and taken apart, as lists are that have one.

They are JSON, or in a column that holds texts, too, the text of it. Of such DuckDB would count the characters, and take
for `a[1]` one of them, or of JSON the second element: a single late item would give a statement another meaning.
"""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.schema import DOCUMENT, AttributeType, Column, ColumnType, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.binding.unshaped_fields import JsonPlace, JsonValues, has_json
from mcp_server.sql.fields import part_of
from mcp_server.sql.trees import nodes_of

_LIST = exp.DataType.build("JSON[]", dialect="duckdb")
_NESTED = frozenset(
    {
        AttributeType.LIST,
        AttributeType.STRING_SET,
        AttributeType.NUMBER_SET,
        AttributeType.BINARY_SET,
    }
)
_PLACES = (exp.Slice, exp.Neg, exp.Add, exp.Sub, exp.Mul)
"""What a subscript is that is no key, beside a number."""


def read_as_lists(
    query: exp.Query, internal: Mapping[str, Table], spelling: Spelling, json: JsonValues
) -> frozenset[JsonPlace]:
    """Puts TRY_CAST to a list around what may be one, where a list is asked for, in place.

    Columns have their sources; `json` are the values of the query. What is no list has no elements; its length is that
    of its text, as elsewhere. Tells of what elements are read, but within whole items.
    """
    unshaped = columns_that(_may_hold_lists, query, internal, spelling)
    if unshaped is None:
        return frozenset()

    def column_of(node: exp.Expr) -> Column | None:
        found = unshaped(node)
        return found.column if found is not None else None

    def may_be_list(node: exp.Expr | None) -> bool:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Column):
            column = column_of(node)
            return column is not None and _is_unshaped(column.type, column.attribute_types)
        if not isinstance(node, exp.Dot | exp.Bracket | exp.StructExtract):
            return False
        part = part_of(node, column_of)
        return part.type.kind is TypeKind.JSON if part is not None else may_be_list(node.this)

    asked = nodes_of(query, exp.Bracket, exp.Length, exp.ArraySize, exp.Explode, exp.Unnest)
    wanted = [node for node in asked if _wants_list(node) and may_be_list(_operand(node))]
    places = [
        json.list_at(operand)
        for node in wanted
        if not isinstance(node, exp.Length | exp.ArraySize)
        if (operand := _operand(node)) is not None
    ]
    for node in reversed(wanted):  # what is within others comes first
        operand = _operand(node)
        assert operand is not None
        as_list = exp.TryCast(this=operand.copy(), to=_LIST.copy())
        if isinstance(node, exp.Length):
            length = exp.Length(this=as_list)
            node.replace(exp.Coalesce(this=length, expressions=[exp.Length(this=operand.copy())]))
        else:
            operand.replace(as_list)
    return frozenset(one for one in places if one is not None and one.origin.column is not DOCUMENT)


def _may_hold_lists(column: Column) -> bool:
    return _is_unshaped(column.type, column.attribute_types) or has_json(column.type)


def _is_unshaped(type_: ColumnType, types: frozenset[AttributeType]) -> bool:
    return type_.kind is TypeKind.JSON or (type_.kind is TypeKind.VARCHAR and bool(types & _NESTED))


def _operand(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Unnest):
        return node.expressions[0] if len(node.expressions) == 1 else None
    found = node.this
    return found if isinstance(found, exp.Expr) else None


def _wants_list(node: exp.Expr) -> bool:
    """Whether a list is asked for; a subscript may be the key of a map instead."""
    if not isinstance(node, exp.Bracket):
        return True
    place = node.expressions[0].unnest() if len(node.expressions) == 1 else None
    return isinstance(place, _PLACES) or (isinstance(place, exp.Literal) and not place.is_string)
