"""The values, of parameters and literals, that can fill slots, and the marks that stand for them in a template.

A mark is of its value's kind: whatever planning does with one value of a kind, it does with every other. Marks stand in
the order of their values.
"""

import re
from collections.abc import Container, Iterable, Mapping
from datetime import date, timedelta

from mcp_server.domain.dates import iso_date
from mcp_server.sql.gate.parameters import JsonValue, Parameters, by_name
from mcp_server.sql.slots import ColumnSlots

Values = Mapping[str, JsonValue]
"""Parameters by the names that a statement has for them, literals by their places."""

Kind = str

LONGEST_TEXT = 255
"""Characters of a text that may fill a slot: no key is too short for it, whatever its bytes."""
LARGEST_NUMBER = 10**15
"""Whole numbers below that compare exactly with every column up to LARGEST_SCALE."""
LARGEST_SCALE = 18

_DECIMAL = re.compile(r"[0-9]{1,12}\.([0-9]{0,5}[1-9])")
"""Decimal numbers that are written in only one way, of few enough digits for a float to have them all."""
_DIGITS = re.compile(r"0|[1-9][0-9]{0,14}")
"""Texts that write a whole number in the only way: they may be compared with numbers, and are numbers there."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY_LENGTH = 10
_FIRST_DIGITS = 612_345_678_901_233
_DIGITS_BEGIN = str(_FIRST_DIGITS)[:9]
"""Of no mark but those that are texts of digits."""
_FIRST_WHOLE = 712_345_678_901_233
_FIRST_DECIMAL = 712_345_678
_FIRST_DAY = date(9001, 1, 1)
"""No day beyond it fills a slot, nor any before the year 1000."""
_EARLIEST_DAY = date(1000, 1, 1)


def kind_of(value: JsonValue) -> Kind | None:
    """The kind of a value that can fill a slot, None of any other."""
    if type(value) is str:
        if len(value) == _DAY_LENGTH and (day := iso_date(value)) is not None:
            return "day" if _EARLIEST_DAY <= day < _FIRST_DAY else None
        if _DIGITS.fullmatch(value) is not None:
            return "digits"
        return "text" if 0 < len(value) <= LONGEST_TEXT and "\0" not in value and _is_unicode(value) else None
    if type(value) is int:
        return ("whole" if value >= 0 else "negative") if abs(value) < LARGEST_NUMBER else None
    if type(value) is float:
        written = _DECIMAL.fullmatch(repr(abs(value)))
        return f"{'negative ' if value < 0 else ''}{len(written[1])} places" if written is not None else None
    return None


Rank = tuple[int, int]
"""A value's place among others as numbers are ordered, if it is one or a text that writes one, and as texts are."""


def ranks(column: ColumnSlots, values: Values) -> Mapping[str, Rank] | None:
    """Where each slot's value stands among those of its column, all alike where that does not matter.

    None if two are equal.
    """
    if len(column.names) == 1:
        return {column.names[0]: (0, 0)}
    given = [values[name] for name in column.names]
    if len({*given}) < len(given) or len({isinstance(one, str) for one in given}) > 1:
        return None
    if not column.ordered:
        return dict.fromkeys(column.names, (0, 0))
    as_numbers = _in_order(column.names, values)
    as_texts = sorted(column.names, key=lambda name: str(values[name])) if isinstance(given[0], str) else as_numbers
    return {name: (as_numbers.index(name), as_texts.index(name)) for name in column.names}


def stand_alike(column: ColumnSlots, values: Values, marks: Values) -> bool:
    """Whether the marks of values stand as these do; those of digits as numbers do, whatever they are compared with."""
    one, other = ranks(column, values), ranks(column, marks)
    if one is None or other is None:
        return False
    as_numbers = all(kind_of(values[name]) == "digits" for name in column.names)
    return all(one[name][0] == other[name][0] if as_numbers else one[name] == other[name] for name in column.names)


def marked(text: str, parameters: Parameters, names: Container[str] | None = None) -> tuple[Parameters, dict[str, str]]:
    """The parameters with marks for those of the names, or for all that can fill a slot, and each mark's parameter."""
    values = by_name(parameters)
    taken = "\n".join([text, *(value if isinstance(value, str) else repr(value) for value in values.values())])
    marks: dict[str, str] = {}
    number = 0
    replaced = dict(values)
    kinds = {name: kind_of(value) for name, value in values.items()}
    found = [name for name in values if (kinds[name] is not None if names is None else name in names)]
    for name in _in_order(found, values):
        kind = kinds[name] or ""
        number += 1
        while _digits(kind, number) in taken:
            number += 1
        replaced[name] = mark = _mark(kind, number)
        marks[str(mark)] = name
    return (replaced if isinstance(parameters, Mapping) else list(replaced.values())), marks


def sql_of(value: JsonValue) -> str:
    """A value that fills a slot as SQL writes it."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def written_mark(mark: str) -> str:
    """A mark as SQL writes it."""
    is_number = _NUMBER.fullmatch(mark) is not None and not mark.startswith(_DIGITS_BEGIN)
    return mark if is_number else f"'{mark}'"


def _digits(kind: Kind, number: int) -> str:
    """What of a mark may stand in no other text."""
    return str(_mark(kind, number)).lstrip("-")


def _mark(kind: Kind, number: int) -> str | int | float:
    match kind:
        case "text":
            return f"slot{_FIRST_WHOLE + number}"
        case "day":
            return (_FIRST_DAY + timedelta(days=number)).isoformat()
        case "digits":
            return str(_FIRST_DIGITS + number)
        case "whole":
            return _FIRST_WHOLE + number
        case "negative":
            return number - _FIRST_WHOLE
    *negative, places, _ = kind.split()
    fraction = "1" * int(places)
    return float(f"{number - _FIRST_DECIMAL}.{fraction}" if negative else f"{_FIRST_DECIMAL + number}.{fraction}")


def _in_order(names: Iterable[str], values: Values) -> list[str]:
    def order(name: str) -> tuple[float, str]:
        value = values[name]
        if isinstance(value, str):
            return (int(value) if kind_of(value) == "digits" else 0, value)
        return (value if isinstance(value, int | float) else 0, "")

    return sorted(names, key=order)


def _is_unicode(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
