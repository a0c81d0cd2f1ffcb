"""Plans with slots: made once with marks in the place of values, filled with the values of each call.

A template holds no value that anybody sent. It is kept only if filling it with the values at hand gives the very plan
that these values lead to by themselves.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeGuard, TypeVar

from mcp_server.domain.schema import AttributeType, Column, Index, Table, TypeKind
from mcp_server.planning.plan import Read, Relation
from mcp_server.planning.predicate import Comparison, Predicate, columns_of
from mcp_server.sql.gate.parameters import JsonValue, Parameters

LONGEST_TEXT = 255
"""Characters of a text that may fill a slot: no key is too short for it, whatever its bytes."""
LARGEST_NUMBER = 10**15
LARGEST_SCALE = 18
"""Whole numbers below that compare exactly with every column up to that scale."""

_FIRST_NUMBER = 712_345_678_901_233
_CONSTANT = (Table, Column, Index)
_COLUMNS = {
    str: (frozenset({AttributeType.STRING}), frozenset({TypeKind.VARCHAR})),
    int: (frozenset({AttributeType.NUMBER}), frozenset({TypeKind.BIGINT, TypeKind.DECIMAL})),
}

_Whole = TypeVar("_Whole")

Values = Mapping[str, JsonValue]
_Step = Callable[[Sequence[Any], Values], Any]


class Unfit(Exception):
    """A mark stands where it cannot be told how a value would stand."""


def fills(value: JsonValue) -> bool:
    """Whether a value can fill a slot."""
    if type(value) is str:
        return 0 < len(value) <= LONGEST_TEXT and "\0" not in value and _is_unicode(value)
    return type(value) is int and 0 <= value < LARGEST_NUMBER


def by_name(parameters: Parameters) -> dict[str, JsonValue]:
    """The parameters by the names that a statement has for them."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    return {str(position): value for position, value in enumerate(parameters or (), start=1)}


def marked(text: str, parameters: Parameters, names: Container[str] | None = None) -> tuple[Parameters, dict[str, str]]:
    """The parameters with marks for those of the names, or for all that can fill a slot, and each mark's parameter."""
    values = by_name(parameters)
    taken = "\n".join([text, *(value if isinstance(value, str) else repr(value) for value in values.values())])
    marks: dict[str, str] = {}
    number = 0
    replaced = dict(values)
    for name, value in values.items():
        if not (fills(value) if names is None else name in names):
            continue
        while True:
            number += 1
            digits = str(_FIRST_NUMBER + number)
            mark: str | int = f"slot{digits}" if isinstance(value, str) else int(digits)
            if digits not in taken:
                break
        replaced[name], marks[str(mark)] = mark, name
    return (replaced if isinstance(parameters, Mapping) else list(replaced.values())), marks


def carried(read: Read, marks: Mapping[str, str]) -> frozenset[str]:
    """The slots that are compared with a column of their own type, of which no other condition speaks.

    The read's relation is as it is read: a rule for its rows, or the parts of a virtual table's keys, are conditions
    too. How many items have a text DynamoDB can only tell of some texts, unless it is that of a key.
    """
    relation = read.relation
    if relation.table.virtual is not None:
        return frozenset()
    said = [one.predicate for one in relation.conjuncts if one.predicate is not None]
    spoken = Counter(name for predicate in said for name in columns_of(predicate))
    simple = [one for one in said if _is_simple(one, relation) and spoken[one.column] == 1]
    keys = {key.name for key in relation.table.key}
    kept = Counter(str(one.value) for one in simple if not read.counts or one.column in keys)
    return frozenset(name for mark, name in marks.items() if kept[mark] == 1)


def _is_simple(predicate: Predicate, relation: Relation) -> TypeGuard[Comparison]:
    if not isinstance(predicate, Comparison):
        return False
    column = relation.table.column(predicate.column)
    attribute_types, kinds = _COLUMNS.get(type(predicate.value), (frozenset(), frozenset()))
    return (
        column is not None
        and column.attribute_types - {AttributeType.NULL} == attribute_types
        and column.type.kind in kinds
        and (column.type.scale or 0) <= LARGEST_SCALE
    )


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
        if type(value) is int and str(value) in self._marks:
            return self._step(_whole(self._marks[str(value)]))
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
            written = f"'{mark}'" if mark.startswith("slot") else mark
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


def sql_of(value: JsonValue) -> str:
    """A value that fills a slot as SQL writes it."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _any_made(parts: Sequence[Any]) -> bool:
    return any(isinstance(part, _Made) for part in parts)


def _whole(name: str) -> _Step:
    return lambda _made, values: values[name]


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


def _is_unicode(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
