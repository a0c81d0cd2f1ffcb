"""Parts of columns that are read as text, where they stand in a statement as it is written: `m.zip`, `lines[1].qty`.

The statement is not bound: of `m.zip` only the columns of its tables tell that `zip` is a field of the column `m`.
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


def text_parts(statement: Statement, columns: Collection[Column]) -> tuple[WrittenPart, ...]:
    """The parts of those columns that are text, from left to right.

    Those in which a sample held nothing but texts that are no numbers are left out.
    """
    sources = {fold(node.alias_or_name) for node in statement.nodes if isinstance(node, exp.Table | exp.Subquery)}
    by_name: dict[str, list[Column]] = {}
    for column in columns:
        by_name.setdefault(fold(column.name), []).append(column)
    columns_written = (node for node in statement.nodes if isinstance(node, exp.Column))
    found = (part for node in columns_written for part in _parts(node, statement.text, by_name, sources))
    return tuple(sorted(found, key=lambda part: part.start))


def _parts(
    node: exp.Column, text: str, columns: dict[str, list[Column]], sources: Collection[str]
) -> Iterator[WrittenPart]:
    """The whole of what is accessed of a column, where that is a text."""
    names = [part.name for part in node.parts]
    start, end = node.parts[0].meta.get("start"), node.parts[-1].meta.get("end")
    place = _place_of_column([fold(name) for name in names], columns, sources)
    if place is None or not isinstance(start, int) or not isinstance(end, int):
        return
    around, steps, after = _accessed(node, text, end + 1)
    if after is None:
        return
    wanted = [*names[place + 1 :], *steps]
    if wanted and any(_may_hold_numbers(column, wanted) for column in columns[fold(names[place])]):
        yield WrittenPart(around, start, after)


def _place_of_column(names: list[str], columns: Collection[str], sources: Collection[str]) -> int | None:
    """Which of the names is the column's: what is before it names its source, and what is after it its fields."""
    for place in (2, 1):
        if place < len(names) and names[place] in columns and names[place - 1] in sources:
            return place
    return 0 if names[0] in columns else None


def _accessed(node: exp.Expr, text: str, end: int) -> tuple[exp.Expr, list[str | int], int | None]:
    """What is taken of a column by names and places, the steps to it, and where it ends in the text."""
    steps: list[str | int] = []
    while node.parent is not None and node.arg_key == "this":
        match node.parent:
            case exp.Dot(expression=exp.Identifier() as name) if isinstance(name.meta.get("end"), int):
                steps.append(name.name)
                end = name.meta["end"] + 1
            case exp.Bracket(expressions=[exp.Literal() as inside]):
                written = _SUBSCRIPT.match(text, end)
                if written is None:
                    return node, steps, None
                steps.append(str(inside.this) if inside.is_string else int(inside.this))
                end = written.end()
            case _:
                break
        node = node.parent
    return node, steps, end


def _may_hold_numbers(column: Column, steps: list[str | int]) -> bool:
    """Whether a part is read as text, and numbers may be among what it holds."""
    found = _located(column, steps)
    if found is None:
        return False
    values = column.examples.of(found) if column.examples is not None else ()
    return not values or any(map(_is_number, values))


def _located(column: Column, steps: list[str | int]) -> Path | None:
    """The path to a part that is text; what has no shape has any fields, which are texts."""
    type_ = column.type
    path: list[str | None] = []
    if type_.kind is TypeKind.VARCHAR and AttributeType.MAP in column.attribute_types:
        type_ = ColumnType(TypeKind.JSON)
    for step in steps:
        if type_.kind is TypeKind.JSON:
            return (*path, str(step))
        if type_.kind is TypeKind.STRUCT and isinstance(step, str):
            name, found = next(((name, of) for name, of in type_.fields if fold(name) == fold(step)), (step, None))
        else:
            name, found = None, type_.element if type_.kind is TypeKind.LIST and isinstance(step, int) else None
        if found is None:
            return None
        path.append(name)
        type_ = found
    return tuple(path) if type_.kind is TypeKind.VARCHAR else None


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
