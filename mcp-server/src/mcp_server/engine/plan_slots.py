"""Plans with slots: made once with marks in the place of values, filled with the values of each call.

A template holds no value that anybody sent. It is kept only if filling it with the values at hand gives the very plan
that these values lead to by themselves.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from mcp_server.domain.schema import AttributeType, Column, Index, Table, TypeKind
from mcp_server.engine.slot_values import LARGEST_SCALE, Values, sql_of, written_mark
from mcp_server.planning.key_paths import MAX_QUERIES
from mcp_server.planning.plan import Conjunct, Read, Relation
from mcp_server.planning.predicate import AnyOf, Between, Comparison, OneOf, Predicate, Value, columns_of
from mcp_server.sql.slots import ColumnSlots

_CONSTANT = (Table, Column, Index)
_NUMBERS = (frozenset({AttributeType.NUMBER}), frozenset({TypeKind.BIGINT, TypeKind.DECIMAL}))
_COLUMNS: Mapping[type, tuple[frozenset[AttributeType], frozenset[TypeKind]]] = {
    str: (frozenset({AttributeType.STRING}), frozenset({TypeKind.VARCHAR})),
    date: (frozenset({AttributeType.STRING}), frozenset({TypeKind.DATE})),
    int: _NUMBERS,
    Decimal: _NUMBERS,
}

_Whole = TypeVar("_Whole")

_Step = Callable[[Sequence[Any], Values], Any]


class Unfit(Exception):
    """A mark stands where it cannot be told how a value would stand."""


def carried_by_read(read: Read, marks: Mapping[str, str], columns: Sequence[ColumnSlots]) -> tuple[ColumnSlots, ...]:
    """The slots that a read carries along, too.

    Its relation is as it is read: a rule for its rows, or the parts of a virtual table's keys, are conditions too. How
    many items have a text DynamoDB can only tell of some texts, unless it is that of a key.
    """
    relation = read.relation
    if relation.table.virtual is not None:
        return ()
    found = _of_relation(relation, marks, columns, only_keys=read.counts)
    return tuple(one for one in found if one.ordered or len(one.names) == 1 or _are_listed(_said(relation)))


def carried(
    relations: Sequence[Relation], marks: Mapping[str, str], columns: Sequence[ColumnSlots]
) -> tuple[ColumnSlots, ...]:
    """The slots that are compared with columns of their own type alone, of which no other condition speaks.

    So it is in every relation of which conditions have them: in a join they say the same of columns that are equal, and
    a condition on what several queries put out goes down into each.
    """
    fit = {relation.name: _of_relation(relation, marks, columns) for relation in relations}
    found: list[ColumnSlots] = []
    for one in columns:
        having = [relation for relation in relations if _having(relation, marks, one)]
        if having and all(one in fit[relation.name] for relation in having):
            found.append(one)
    return tuple(found)


def _having(relation: Relation, marks: Mapping[str, str], slots: ColumnSlots) -> list[Conjunct]:
    """The conditions in which slots stand."""
    written = [mark for mark, name in marks.items() if name in slots.names]
    return [conjunct for conjunct in relation.conjuncts if any(mark in conjunct.text for mark in written)]


def _of_relation(
    relation: Relation, marks: Mapping[str, str], columns: Sequence[ColumnSlots], *, only_keys: bool = False
) -> tuple[ColumnSlots, ...]:
    said = _said(relation)
    keys = {key.name for key in relation.table.key}
    given: dict[str, Counter[str | None]] = {}
    for name in {name for predicate in said for name in columns_of(predicate)}:
        column = relation.table.column(name)
        values = [_values(one) for one in said if name in columns_of(one)]
        compared = [value for one in values for value in one]
        if all(values) and all(_compares(column, value) for value in compared) and (name in keys or not only_keys):
            given[name] = Counter(marks.get(str(value)) for value in compared)
    about = {one: _about(_having(relation, marks, one)) for one in columns}
    return tuple(
        one for one in columns if about[one] and all(given.get(name) == Counter(one.names) for name in about[one])
    )


def _about(conjuncts: Sequence[Conjunct]) -> set[str]:
    """The columns that conditions are about; one without a name where the algebra cannot say."""
    return {
        name
        for conjunct in conjuncts
        for name in (columns_of(conjunct.predicate) if conjunct.predicate is not None else [""])
    }


def _said(relation: Relation) -> list[Predicate]:
    return [one.predicate for one in relation.conjuncts if one.predicate is not None]


def _values(predicate: Predicate) -> Sequence[Value]:
    """What a simple condition compares its column with; nothing of any other condition."""
    match predicate:
        case Comparison(_, _, value):
            return (value,)
        case Between(_, low, high):
            return (low, high)
        case OneOf(_, values):
            return values
    return ()


def _compares(column: Column | None, value: Value) -> bool:
    attribute_types, kinds = _COLUMNS.get(type(value), (frozenset(), frozenset()))
    return (
        column is not None
        and column.attribute_types - {AttributeType.NULL} == attribute_types
        and column.type.kind in kinds
        and (column.type.scale or 0) <= LARGEST_SCALE
    )


def _are_listed(said: Sequence[Predicate]) -> bool:
    """Whether the members of lists count one by one: of too many, only the least and the greatest are told a key."""
    lists = [len(one.values) for one in said if isinstance(one, OneOf)]
    return math.prod(lists) <= MAX_QUERIES and not any(isinstance(one, AnyOf) for one in said)


@dataclass(frozen=True, slots=True)
class _Made:
    """What one step makes, by its place among the steps."""

    step: int


class Template(Generic[_Whole]):
    """A value in which marks stand for values, wherever in it."""

    def __init__(self, whole: _Whole, marks: Mapping[str, str]) -> None:
        """Raises Unfit."""
        self._marks = marks
        self._steps: list[_Step] = []
        self._known: dict[int, tuple[Any, Any]] = {}
        self._whole = self._part(whole)
        self._known.clear()

    def filled(self, values: Values) -> _Whole:
        """The same value with values in the place of their marks."""
        made: list[Any] = []
        for step in self._steps:
            made.append(step(made, values))
        whole: _Whole = made[self._whole.step] if isinstance(self._whole, _Made) else self._whole
        return whole

    def _part(self, value: Any) -> Any:
        """The value itself if no mark is in it, else the step that makes it."""
        if isinstance(value, _CONSTANT):
            return value
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, self._taken_apart(value))  # held, so that no other gets its id
        return known[1]

    def _taken_apart(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | Decimal | date) and str(value) in self._marks:
            return self._step(_READ_AS[type(value)](self._marks[str(value)]))
        if isinstance(value, Mapping):
            parts = [self._part(one) for one in value.values()]
            return self._step(_mapping(list(value), parts)) if _any_made(parts) else value
        if isinstance(value, tuple | list):
            parts = [self._part(one) for one in value]
            return self._step(_sequence(type(value), parts)) if _any_made(parts) else value
        if is_dataclass(value) and not isinstance(value, type):
            parts = [self._part(getattr(value, field.name)) for field in fields(value)]
            return self._step(_object(type(value), parts)) if _any_made(parts) else value
        return value

    def _text(self, value: str) -> Any:
        if value in self._marks:
            return self._step(_content(self._marks[value]))
        pieces: list[tuple[str, str | None]] = [(value, None)]
        for mark, name in self._marks.items():
            written = written_mark(mark)
            for place in range(len(pieces) - 1, -1, -1):
                text, filler = pieces[place]
                if filler is None and written in text:
                    parts: list[tuple[str, str | None]] = []
                    for between in text.split(written):
                        parts += [(between, None), ("", name)]
                    pieces[place : place + 1] = parts[:-1]
        if any(mark in text for text, _ in pieces for mark in self._marks):
            raise Unfit
        return self._step(_joined(pieces)) if len(pieces) > 1 else value

    def _step(self, step: _Step) -> _Made:
        self._steps.append(step)
        return _Made(len(self._steps) - 1)


def _any_made(parts: Sequence[Any]) -> bool:
    return any(isinstance(part, _Made) for part in parts)


def _whole(name: str) -> _Step:
    return lambda _made, values: int(str(values[name]))  # it may be a text of digits


def _decimal(name: str) -> _Step:
    return lambda _made, values: Decimal(str(values[name]))


def _day(name: str) -> _Step:
    return lambda _made, values: date.fromisoformat(str(values[name]))


_READ_AS: Mapping[type, Callable[[str], _Step]] = {int: _whole, Decimal: _decimal, date: _day}


def _content(name: str) -> _Step:
    return lambda _made, values: str(values[name])


def _joined(pieces: Sequence[tuple[str, str | None]]) -> _Step:
    return lambda _made, values: "".join(text if name is None else sql_of(values[name]) for text, name in pieces)


def _mapping(keys: Sequence[Any], parts: Sequence[Any]) -> _Step:
    together = _together(parts)
    return lambda made, _values: dict(zip(keys, together(made), strict=True))


def _sequence(type_: type[Any], parts: Sequence[Any]) -> _Step:
    together = _together(parts)
    return lambda made, _values: type_(together(made))


def _object(type_: type[Any], parts: Sequence[Any]) -> _Step:
    together = _together(parts)
    return lambda made, _values: type_(*together(made))


def _together(parts: Sequence[Any]) -> Callable[[Sequence[Any]], list[Any]]:
    """What puts the parts together, those of them that are made after the others."""
    places = [(place, part.step) for place, part in enumerate(parts) if isinstance(part, _Made)]

    def together(made: Sequence[Any]) -> list[Any]:
        whole = list(parts)
        for place, step in places:
            whole[place] = made[step]
        return whole

    return together
