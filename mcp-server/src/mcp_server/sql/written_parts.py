"""Parts of columns that are read as text, where they stand in a statement as it is written: `m.zip`, `lines[1].qty`.

The statement is not bound: of `m.zip` only the columns of its tables tell that `zip` is a field of the column `m`. An
element that `unnest` gives is a part of the column that has the list, `l.qty` in `FROM t, unnest(t.lines) AS u(l)`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Path, TypeKind
from mcp_server.sql.gate.parse import Statement

_SUBSCRIPT = re.compile(r"\s*\[\s*(?:[0-9]+|'(?:[^']|'')*')\s*\]")


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part of a column: its node, and from where to where it is written in the text."""

    node: exp.Expr
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Named:
    """What a name stands for: a column, or elements of a list in it."""

    column: Column
    path: Path
    type: ColumnType


class _Names:
    """What the names in a statement stand for, by its tables' columns and its lists that become rows."""

    def __init__(self, statement: Statement, columns: Collection[Column]) -> None:
        self.text = statement.text
        sources = (exp.Table, exp.Subquery, exp.Unnest)
        self._sources = {fold(node.alias_or_name) for node in statement.nodes if isinstance(node, sources)}
        self._named: dict[str, list[_Named]] = {}
        for column in columns:
            is_map = column.type.kind is TypeKind.VARCHAR and AttributeType.MAP in column.attribute_types
            self._add(column.name, _Named(column, (), ColumnType(TypeKind.JSON) if is_map else column.type))
        pending = [*_lists(statement)]
        known = -1
        while known != len(pending):  # a list may be within an element of another
            known = len(pending)
            pending = [(name, list_) for name, list_ in pending if not self._add_elements(name, list_)]

    def steps(self, names: list[str]) -> tuple[list[_Named], list[str | int]]:
        """What the first of the names stand for, and the fields of it that the others name."""
        folded = [fold(name) for name in names]
        for place in (2, 1):
            if place < len(names) and folded[place] in self._named and folded[place - 1] in self._sources:
                return self._named[folded[place]], [*names[place + 1 :]]
        return self._named.get(folded[0], []), [*names[1:]]

    def _add(self, name: str, named: _Named) -> None:
        self._named.setdefault(fold(name), []).append(named)

    def _add_elements(self, name: str, list_: exp.Column) -> bool:
        accessed = _accessed(list_, self.text)
        if accessed is None:
            return True
        found, steps = self.steps([part.name for part in list_.parts])
        elements = [one for named in found if (one := _elements(_at(named, [*steps, *accessed.steps]))) is not None]
        for one in elements:
            self._add(name, one)
        return bool(elements)


def text_parts(statement: Statement, columns: Collection[Column]) -> tuple[WrittenPart, ...]:
    """The parts of those columns that are text, from left to right.

    Those in which a sample held nothing but texts that are no numbers are left out.
    """
    names = _Names(statement, columns)
    columns_written = (node for node in statement.nodes if isinstance(node, exp.Column))
    found = (part for node in columns_written if (part := _text_part(node, names)) is not None)
    return tuple(sorted(found, key=lambda part: part.start))


def _lists(statement: Statement) -> Iterator[tuple[str, exp.Column]]:
    """The lists whose elements become rows, each with the name of the column that has these."""
    for node in statement.nodes:
        match node:
            case exp.Unnest(expressions=[exp.Expr() as list_]) if node.args.get("alias") is not None:
                names = node.args["alias"].columns
                name = names[0].name if names else ""
            case exp.Alias(this=exp.Explode(this=exp.Expr() as list_)):
                name = node.alias
            case _:
                continue
        while isinstance(list_, exp.Dot | exp.Bracket):
            list_ = list_.this
        if name and isinstance(list_, exp.Column):
            yield name, list_


def _text_part(node: exp.Column, names: _Names) -> WrittenPart | None:
    """The whole of what is accessed of a column, where that is a text."""
    accessed, start = _accessed(node, names.text), node.parts[0].meta.get("start")
    if accessed is None or not isinstance(start, int):
        return None
    found, steps = names.steps([part.name for part in node.parts])
    parts = [_at(named, [*steps, *accessed.steps]) for named in found]
    if not any(part is not None and part.path and _may_hold_numbers(part) for part in parts):
        return None
    return WrittenPart(accessed.node, start, accessed.end)


@dataclass(frozen=True, slots=True)
class _Accessed:
    """What is taken of a column by names and places, the steps to it, and where it ends in the text."""

    node: exp.Expr
    steps: list[str | int]
    end: int


def _accessed(column: exp.Column, text: str) -> _Accessed | None:
    node: exp.Expr = column
    steps: list[str | int] = []
    last = column.parts[-1].meta.get("end")
    if not isinstance(last, int):
        return None
    end = last + 1
    while node.parent is not None and node.arg_key == "this":
        match node.parent:
            case exp.Dot(expression=exp.Identifier() as name) if isinstance(name.meta.get("end"), int):
                steps.append(name.name)
                end = name.meta["end"] + 1
            case exp.Bracket(expressions=[exp.Literal() as inside]):
                written = _SUBSCRIPT.match(text, end)
                if written is None:
                    return None
                steps.append(str(inside.this) if inside.is_string else int(inside.this))
                end = written.end()
            case _:
                break
        node = node.parent
    return _Accessed(node, steps, end)


def _at(named: _Named, steps: list[str | int]) -> _Named | None:
    """The part of it that steps lead to; what has no shape has any fields, which are texts."""
    path, type_ = [*named.path], named.type
    for step in steps:
        if type_.kind is TypeKind.JSON:
            return _Named(named.column, (*path, str(step)), ColumnType(TypeKind.VARCHAR))
        if type_.kind is TypeKind.STRUCT and isinstance(step, str):
            name, found = next(((name, of) for name, of in type_.fields if fold(name) == fold(step)), (step, None))
        else:
            name, found = None, type_.element if type_.kind is TypeKind.LIST and isinstance(step, int) else None
        if found is None:
            return None
        path.append(name)
        type_ = found
    return _Named(named.column, tuple(path), type_)


def _elements(list_: _Named | None) -> _Named | None:
    if list_ is None or list_.type.kind is not TypeKind.LIST or list_.type.element is None:
        return None
    return _Named(list_.column, (*list_.path, None), list_.type.element)


def _may_hold_numbers(part: _Named) -> bool:
    """Whether a part is read as text, and numbers may be among what it holds."""
    if part.type.kind is not TypeKind.VARCHAR:
        return False
    values = part.column.examples.of(part.path) if part.column.examples is not None else ()
    return not values or any(map(_is_number, values))


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
