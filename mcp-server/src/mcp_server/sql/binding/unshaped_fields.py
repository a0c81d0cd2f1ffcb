"""Lets the fields of JSON be compared as the fields of structs are: as texts, `lines[1].sku = 'K'`.

DuckDB's field of JSON is JSON again, a text in quotes: it equals no text, and comparing it with one fails. The elements
of a list without one shape are JSON, also where `unnest` gives them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.schema import DOCUMENT, DOCUMENT_COLUMN, AttributeType, Column, ColumnType, Path, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import Names, TableColumn, columns_that
from mcp_server.sql.fields import part_of
from mcp_server.sql.trees import nodes_of

_LISTS = frozenset(
    {
        AttributeType.LIST,
        AttributeType.STRING_SET,
        AttributeType.NUMBER_SET,
        AttributeType.BINARY_SET,
    }
)
_FIELDS = (exp.Dot, exp.Bracket, exp.StructExtract)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON = exp.DataType.build("JSON", dialect="duckdb")
_LIST = exp.DataType.build("JSON[]", dialect="duckdb")
_STAYS_JSON = (*_FIELDS, exp.JSONExtract, exp.JSONExtractScalar, exp.ArraySize, exp.Explode, exp.Unnest)


class JsonPlace(NamedTuple):
    """Where JSON comes from: a column of a table, and the steps into it."""

    origin: TableColumn
    path: Path


class JsonValues:
    """Tells which expressions of a statement are JSON. Columns have their sources.

    `with_document` tells that something in the statement has the document column's name.
    """

    def __init__(
        self, query: exp.Query, internal: Mapping[str, Table], spelling: Spelling, *, with_document: bool
    ) -> None:
        self._unshaped = columns_that(_may_hold_json, query, internal, spelling)
        self.any = self._unshaped is not None or (
            with_document and any(one.name == DOCUMENT_COLUMN for one in nodes_of(query, exp.Column))
        )
        """Whether a table of the statement has such values."""
        self._names = Names(query, internal) if self.any else None

    def of(self, node: exp.Expr) -> JsonPlace | None:
        """Where the JSON comes from that an expression is; None if it is something else."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            column = self._column(node)
            if column is not None:
                return JsonPlace(column, ()) if column.column.type.kind is TypeKind.JSON else None
            origin = self._names.origin(node) if self._names is not None else None
            return self.of(origin) if origin is not None and not isinstance(origin, exp.Column) else None
        if isinstance(node, exp.Explode | exp.Unnest):
            list_ = node.expressions[0] if isinstance(node, exp.Unnest) and len(node.expressions) == 1 else node.this
            return _below(self.list_at(list_), None) if isinstance(list_, exp.Expr) else None
        if not isinstance(node, _FIELDS):
            return None
        part = part_of(node, self._only_column)
        if part is not None:
            root = node
            while not isinstance(root, exp.Column):
                root = root.this
            origin_ = self._column(root)
            path = tuple(None if isinstance(step, int) else step for step in part.steps)
            return JsonPlace(origin_, path) if origin_ is not None and part.type.kind is TypeKind.JSON else None
        step = step_of(node)
        if step is None and not isinstance(node, exp.Bracket):
            return None
        if step is not None and not step.startswith("["):
            return _below(self.of(node.this), key_of(node))
        return _below(self.list_at(node.this), None) if _is_place(node.expressions) else None

    def is_handed_on(self, node: exp.Expr) -> bool:
        """Whether a node is a column that a subquery or a CTE makes of JSON."""
        return isinstance(node, exp.Column) and self._column(node) is None and self.of(node) is not None

    def list_at(self, node: exp.Expr) -> JsonPlace | None:
        """Where a list comes from whose elements are JSON, or a part of such a list."""
        node = node.unnest()
        if isinstance(node, exp.Bracket) and any(isinstance(one, exp.Slice) for one in node.expressions):
            return self.list_at(node.this)
        column = self._column(node)
        if (
            column is not None
            and column.column.attribute_types & _LISTS
            and column.column.type.kind is TypeKind.VARCHAR
        ):
            return JsonPlace(column, ())
        return self.of(node)

    def _column(self, node: exp.Expr) -> TableColumn | None:
        found = self._unshaped(node) if self._unshaped is not None else None
        if found is None and isinstance(node, exp.Column) and node.name == DOCUMENT_COLUMN and self._names is not None:
            origin = self._names.origin(node)
            is_document = isinstance(origin, exp.Column) and origin.name == DOCUMENT_COLUMN
            return TableColumn(origin.table, DOCUMENT) if is_document and isinstance(origin, exp.Column) else None
        return found

    def _only_column(self, node: exp.Column) -> Column | None:
        found = self._column(node)
        return found.column if found is not None else None


def read_fields_as_texts(query: exp.Query, values: JsonValues) -> frozenset[JsonPlace]:
    """Puts `->>` in the place of fields that are JSON, or of JSON, and are not taken apart further.

    `values` are those of the query. The length of a field is that of its text, and where the field is a list, the
    number of its elements. Tells of which stored JSON, that is no whole item, fields are read.
    """
    if not values.any:
        return frozenset()
    found = [(node, json) for node in nodes_of(query, *_FIELDS) if (json := _field(node, values)) is not None]
    for node, (base, path, _) in found:
        read = base.copy()
        if values.is_handed_on(base):  # what handed it on has read it as a text
            read = exp.TryCast(this=read, to=_JSON.copy())
        text = exp.Paren(this=exp.JSONExtractScalar(this=read, expression=exp.Literal.string(path)))
        length = _length_of(node)
        if length is None:
            node.replace(text)
        else:
            elements = exp.Length(this=exp.TryCast(this=node.copy(), to=_LIST.copy()))
            length.replace(exp.Coalesce(this=elements, expressions=[exp.Length(this=text)]))
    return frozenset(place for _, (_, _, maps) in found for place in maps if place.origin.column is not DOCUMENT)


def _field(node: exp.Expr, values: JsonValues) -> tuple[exp.Expr, str, list[JsonPlace]] | None:
    """The JSON that the largest expression takes a field of, the path to that, and the maps on the way.

    Of a map with a shape, a field may be JSON itself.
    """
    if _around(node) or (step_of(node) or "[").startswith("["):
        return None
    found: tuple[exp.Expr, str] | None = (node, "$") if values.of(node) is not None else None
    maps = list[JsonPlace]()
    base, path = node, ""
    while isinstance(base, _FIELDS) and (step := step_of(base)) is not None:
        place = values.of(base.this)
        if place is None:
            break
        base, path = base.this.unnest(), step + path
        if not step.startswith("["):  # a list is read as one, so no path begins with a place
            found = base, f"${path}"
            maps.append(place)
    return (*found, maps) if found is not None else None


def _length_of(node: exp.Expr) -> exp.Length | None:
    """The expression that asks for the length of a node."""
    around = node.parent
    while isinstance(around, exp.Paren):
        around = around.parent
    return around if isinstance(around, exp.Length) else None


def _around(node: exp.Expr) -> bool:
    """Whether what is around an expression wants it as JSON, or as a list."""
    inner, around = node, node.parent
    while isinstance(around, exp.Paren):
        inner, around = around, around.parent
    if isinstance(around, exp.Anonymous):
        name = str(around.this).lower()
        return name.startswith("json_") or name == "to_json"
    if isinstance(around, exp.Unnest) or (isinstance(around, exp.Cast) and around.is_type("json")):
        return True
    return isinstance(around, _STAYS_JSON) and around.this is inner


def step_of(access: exp.Expr) -> str | None:
    """The step of an access as a path in JSON has it: `.key`, `[0]`; None where there is no such step."""
    key = key_of(access)
    if key is not None:
        return f".{key}" if _KEY.fullmatch(key) else f'."{key}"' if '"' not in key and "\\" not in key else None
    match access:
        case exp.Bracket(expressions=[exp.Literal(is_string=False) as place]) if str(place.this).isdecimal():
            return f"[{int(place.this) - 1}]" if int(place.this) else None
    return None


def key_of(access: exp.Expr) -> str | None:
    """The key of a map that an access names."""
    match access:
        case exp.Dot(expression=exp.Identifier() as name):
            return str(name.name)
        case (
            exp.Bracket(expressions=[exp.Literal(is_string=True) as name])
            | exp.StructExtract(expression=exp.Literal(is_string=True) as name)
        ):
            return str(name.this)
    return None


def _is_place(subscripts: Sequence[exp.Expr]) -> bool:
    """Whether a subscript is a place in a list, as far as its form tells."""
    place = subscripts[0].unnest() if len(subscripts) == 1 else None
    return isinstance(place, exp.Neg | exp.Add | exp.Sub | exp.Mul) or (
        isinstance(place, exp.Literal) and not place.is_string
    )


def _below(place: JsonPlace | None, step: str | None) -> JsonPlace | None:
    return JsonPlace(place.origin, (*place.path, step)) if place is not None else None


def _may_hold_json(column: Column) -> bool:
    return has_json(column.type) or (column.type.kind is TypeKind.VARCHAR and bool(column.attribute_types & _LISTS))


def has_json(type_: ColumnType) -> bool:
    """Whether values of a type are JSON, or have some in them."""
    if type_.element is not None:
        return has_json(type_.element)
    return type_.kind is TypeKind.JSON or (bool(type_.fields) and any(has_json(one) for _, one in type_.fields))
