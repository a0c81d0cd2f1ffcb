"""Parts of maps and lists in SQL: `address.city`, `a['b']`, `lines[1].sku`, `doc->>'$.a.b'`."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Column, ColumnType, TypeKind

ColumnOf = Callable[[exp.Column], Column | None]
Steps = tuple[str | int, ...]
"""From a column to a part of it: names of fields as they are stored, and places in lists, from 0."""

ALL_FIELDS = "all_fields"
"""Set in the meta of a column's identifier where a star takes its fields: also those that are not known are wanted."""

_TEXT, _JSON = ColumnType(TypeKind.VARCHAR), ColumnType(TypeKind.JSON)
_OF_JSON = (exp.JSONExtract, exp.JSONExtractScalar)
_ACCESSES = (exp.Dot, exp.Bracket, exp.StructExtract, *_OF_JSON)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Part:
    """A column, or a part of one: where it is, and its type."""

    column: Column
    steps: Steps
    type: ColumnType


def part_of(node: exp.Expr, column_of: ColumnOf) -> Part | None:
    """The column, or part of one, that an expression is; None if it is something else. JSON of a part is no part."""
    part = _located(node.unnest(), column_of)
    return part if not isinstance(node.unnest(), exp.JSONExtract) else None


def _located(node: exp.Expr, column_of: ColumnOf) -> Part | None:
    if isinstance(node, exp.Column):
        column = column_of(node)
        return Part(column, (), column.type) if column is not None else None
    if not isinstance(node, _ACCESSES) or not isinstance(node.this, exp.Expr):
        return None
    if isinstance(node.this.unnest(), _OF_JSON) and not isinstance(node, _OF_JSON):
        return None
    whole = _located(_of_document(node.this.unnest()).unnest(), column_of)
    found = _into(node, whole.type) if whole is not None else None
    if whole is None or found is None:
        return None
    steps, type_ = found
    if isinstance(node, exp.JSONExtractScalar):
        if type_ not in (_TEXT, _JSON):
            return None  # as text it may be written in another way
        type_ = _TEXT
    return Part(whole.column, (*whole.steps, *steps), type_)


def text_field(node: exp.Expr, column_of: ColumnOf) -> exp.Expr | None:
    """The field of a struct that `struct->>'key'` reads, where that is a text; None of anything else."""
    if not isinstance(node, exp.JSONExtractScalar):
        return None
    whole = part_of(node.this, column_of)
    keys = _keys(node)
    if whole is None or not keys or _below(whole.type, keys) != _TEXT:
        return None
    found: exp.Expr = node.this.copy()
    for key in keys:
        found = exp.Dot(this=found, expression=exp.to_identifier(key, quoted=True))
    return found


def needed(type_: ColumnType, uses: Collection[exp.Column]) -> ColumnType:
    """What is used of a column of that type: all of it, or a struct of those of its fields that are accessed."""
    if type_.kind is not TypeKind.STRUCT:
        return type_
    return _cut(type_, [_fields_used(use, type_) for use in uses])


def _into(access: exp.Expr, type_: ColumnType) -> tuple[Steps, ColumnType] | None:
    """The steps that an access takes into what is of a type, and the type of what it finds there."""
    if isinstance(access, _OF_JSON):
        keys = _keys(access)
        found = _below(type_, keys) if keys else None
        return (keys, found) if found is not None else None
    if type_.kind is TypeKind.STRUCT:
        name = _field_name(access)
        fields = [one for one in type_.fields if name is not None and fold(one[0]) == fold(name)]
        return ((fields[0][0],), fields[0][1]) if fields else None
    if type_.kind is TypeKind.LIST and type_.element is not None:
        place = _place(access)
        return ((place,), type_.element) if place is not None else None
    return None


def _below(type_: ColumnType, keys: Steps) -> ColumnType | None:
    """The type of what JSON of a type has under some keys; what has no shape has any."""
    found: ColumnType | None = type_
    for key in keys:
        if found is None or found == _JSON:
            return found
        found = next((field for name, field in found.fields if name == key), None)
    return found


def _fields_used(use: exp.Expr, type_: ColumnType) -> tuple[str, ...]:
    """The fields, one in another, that an expression around a column of that type takes of it."""
    steps: list[str] = []
    if type_.kind is not TypeKind.STRUCT or use.this.meta_get(ALL_FIELDS):
        return ()
    while type_.kind is TypeKind.STRUCT:
        while isinstance(use.parent, exp.Paren):
            use = use.parent
        access = use.parent
        if access is not None and _of_document(access) is use:
            access = access.parent
        if not isinstance(access, _ACCESSES) or _of_document(access.this).unnest() is not use.unnest():
            break
        found = _into(access, type_)
        if found is None:
            break
        names, type_ = found
        steps += [name for name in names if isinstance(name, str)]
        use = access
    return tuple(steps)


def _cut(type_: ColumnType, uses: Collection[tuple[str, ...]]) -> ColumnType:
    if type_.kind is not TypeKind.STRUCT or () in uses or not uses:
        return type_
    fields = [(name, field, [use[1:] for use in uses if use[0] == name]) for name, field in type_.fields]
    return replace(type_, fields=tuple((name, _cut(field, below)) for name, field, below in fields if below))


def _of_document(node: exp.Expr) -> exp.Expr:
    """What `to_json` is applied to, else the node itself."""
    if isinstance(node, exp.Anonymous) and str(node.this).lower() == "to_json" and len(node.expressions) == 1:
        found = node.expressions[0]
        return found if isinstance(found, exp.Expr) else node
    return node


def _field_name(access: exp.Expr) -> str | None:
    match access:
        case exp.Dot(expression=exp.Identifier() as name):
            return str(name.name)
        case exp.Bracket(expressions=[exp.Literal(is_string=True) as name]) if _only(access, "this", "expressions"):
            return str(name.this)
        case exp.StructExtract(expression=exp.Literal(is_string=True) as name):
            return str(name.this)
    return None


def _place(access: exp.Expr) -> int | None:
    """The place from 0 that `l[n]` names, where DuckDB counts from 1."""
    match access:
        case exp.Bracket(expressions=[exp.Literal(is_string=False) as place]) if _only(access, "this", "expressions"):
            digits = str(place.this)
            return int(digits) - 1 if digits.isdecimal() and len(digits) < 9 and int(digits) else None
    return None


def _keys(access: exp.Expr) -> tuple[str, ...]:
    """The keys that `document->>'key'` or `document->>'$.a.b'` names; none of any other access."""
    path = access.args.get("expression")
    if not isinstance(path, exp.Literal) or not path.is_string:
        return ()
    written = str(path.this)
    if _KEY.fullmatch(written):
        return (written,)
    return tuple(written.split(".")[1:]) if _JSON_PATH.fullmatch(written) else ()


def _only(node: exp.Expr, *parts: str) -> bool:
    return all(part in parts for part, value in node.args.items() if value)
