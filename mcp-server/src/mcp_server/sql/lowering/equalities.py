"""Which columns are equal in every useful row, as data, and what follows from it.

Only columns of one SQL type count in which equality means the same value; of DOUBLE, 0 and -0 are equal.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from mcp_server.sql.lowering.conditions import AnyCondition, ColumnName, Link, condition, link
from mcp_server.sql.trees import copied, nodes

TypeOf = Callable[[ColumnName], str | None]
"""The SQL type of a source's column, None where it is not known."""

EXACT_TYPES = frozenset({"BIGINT", "VARCHAR", "DATE", "BOOLEAN"})
MAX_DERIVED = 200
"""Conditions derived at one join; what lies beyond is not pushed down."""


@dataclass(frozen=True, slots=True)
class EqualityClass:
    """Columns that are equal to one another, of one SQL type; in the order in which the statement names them."""

    type: str
    columns: tuple[ColumnName, ...]


def is_exact(type_: str | None) -> bool:
    """Whether equal values of a type are the same value."""
    return type_ is not None and (type_ in EXACT_TYPES or type_.startswith("DECIMAL("))


def equality_classes(conditions: Iterable[AnyCondition], type_of: TypeOf) -> tuple[EqualityClass, ...]:
    """The classes that the equalities among some conjuncts make."""
    classes: dict[ColumnName, list[ColumnName]] = {}
    types: dict[ColumnName, str] = {}
    for one in conditions:
        if one.equates is None:
            continue
        left, right = one.equates
        type_ = type_of(left)
        if type_ is None or type_ != type_of(right) or not is_exact(type_):
            continue
        first, second = classes.get(left) or [left], classes.get(right) or [right]
        if first is not second and first != second:
            first += second
            for column in second:
                classes[column] = first
            classes[left] = first
            types[first[0]] = type_
    several = {id(one): one for one in classes.values()}
    return tuple([EqualityClass(types[one[0]], tuple(one)) for one in several.values()])


def classes_within(classes: Iterable[EqualityClass], sources: Container[str]) -> tuple[EqualityClass, ...] | None:
    """The classes that remain where only equalities on these sources count; None where that takes one apart."""
    kept: list[EqualityClass] = []
    for one in classes:
        inside = [column for column in one.columns if column.source in sources]
        if len(inside) == len(one.columns):
            kept.append(one)
        elif len(inside) > 1:  # what still holds these equal is not known here
            return None
    return tuple(kept)


def derived(conditions: Iterable[AnyCondition], classes: tuple[EqualityClass, ...]) -> Iterator[AnyCondition]:
    """From `a.x = 7`, where a.x and b.y are in one class, follows `b.y = 7`, unless that is among the conditions."""
    told = [one for one in conditions if len(one.columns) == 1 and one.repeatable]
    if not told or not classes:
        return
    class_of = {column: found for found in classes for column in found.columns}
    said = {(one.says or one, column) for one in told for column in one.columns}
    made = 0
    for one in told:
        (given,) = one.columns
        found = class_of.get(given)
        for other in found.columns if found is not None else ():
            same = (one.says or one, other)
            if same not in said:
                said.add(same)
                made += 1
                if made > MAX_DERIVED:
                    return
                yield _about(one, other)


def _about(one: AnyCondition, other: ColumnName) -> AnyCondition:
    """The same of another column."""
    if isinstance(one, Link):
        return link([other], one.says)
    column = exp.column(exp.to_identifier(other.name, quoted=True), exp.to_identifier(other.source, quoted=True))
    expression = copied(one.expression)
    replaced = [node for node in nodes(expression) if isinstance(node, exp.Column) and node is not expression]
    for node in replaced:
        node.replace(copied(column))
    return replace(condition(expression if replaced else column), says=one.says or one)
