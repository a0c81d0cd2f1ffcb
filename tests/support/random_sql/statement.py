"""A statement with what the engine is asked, and what judges the answer.

The judged text calls `exact_number` and `number_by_order` where a column of numbers and texts is compared with numbers.
Of lists of unlike values, which the judge has as lists of JSON, it calls `field_NAME` for a field of an element, and
`as_json` for a whole list. The judge has them as macros, which say the rules of docs/sql.md; the engine is asked
without them.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

_PARTS = re.compile(r"field_(\w+)\(([^()]*)\)")
_ELEMENTS = re.compile(r"as_json\(([^()]*)\)")
_AS_NUMBERS = re.compile(r"(?:exact_number|number_by_order)\(([^()]*)\)")
_BY_KIND = re.compile(r"\b(?:exact_number|number_by_order|as_json|field_\w+)\(")
"""Where it matters whether a constant is a number or a text."""
_COLUMN_BEFORE = re.compile(r"\w+\.\w+ [=<>]{1,2} $")
_MORE_BEHIND = re.compile(r" [-+*/%]")
"""A number is read of a text beside a column, and not where it is calculated with."""
_LITERAL = re.compile(
    r"(?<=[=<>] )(?P<number>-?\d+)(?= |\)|$)|"
    r"(?<=[=<>] )(?P<word>true|false)\b|"
    r"(?<=distinct from )(?P<null>null)|"
    r"(?<=[=<>(,] )(?P<text>'(?:[^']|'')*')(?![':])|"
    r"\((?P<first>'[^']*')(?=[,)])"
)
"""Constants that are a side of a comparison or a member of a list."""
TEXTS = ("U#1", "U#3", "I#2", "open", "red", "5", "", "2026-02")
NUMBERS = (0, 1, 2, 5, -1, 17, 1767225600000)
"""What other values of parameters are."""
TIMES = ("2025-12-31", "2026-01-01", "2026-01-01T00:00:00Z", "2026-02-28 12:30:00+00")
"""What other values of a day or a time are: where it is compared with a column of times, another text is none."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")
UNITS = ("year", "quarter", "month", "week", "day", "hour")
"""What other values of a unit are, as `date_trunc` takes it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`judged` gives the rows: all of them, or with `any_rows` (LIMIT, OFFSET) so many of them, whichever.

    `ordered` ones come in the judge's order.
    """

    judged: str
    any_rows: tuple[int, int] | None = None
    ordered: bool = False

    @property
    def asked(self) -> str:
        """What the engine is asked."""
        text = _AS_NUMBERS.sub(r"\1", _ELEMENTS.sub(r"\1", _PARTS.sub(r"\2.\1", self.judged)))
        if self.any_rows is None:
            return text
        limit, offset = self.any_rows
        return f"{text} limit {limit}" + (f" offset {offset}" if offset else "")

    def wanted(self, found: int) -> int:
        """How many rows the answer has where the judge found so many."""
        if self.any_rows is None:
            return found
        limit, offset = self.any_rows
        return min(limit, max(0, found - offset))


Value = str | int | None
Values = Sequence[Value] | Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Call:
    """A text with values for its parameters, and the statement that has them as constants."""

    text: str
    values: Values
    statement: Statement


def calls(statement: Statement, dice: random.Random, number_of: int) -> list[Call]:
    """One text with parameters in the place of some constants (`?`, `?1` or `:name`): with their values, and others.

    One that has a name or a number now and then stands in the place of several constants: its value is that of all.
    Numbers are now and then sent as texts, as clients do that send nothing else: DuckDB reads such constants as numbers
    where it needs some. Columns of numbers and texts have rules of their own.
    """
    style = dice.choice(["?", "?1", ":p1"])
    found = list(_LITERAL.finditer(statement.judged))
    places = [place for place in range(len(found)) if dice.random() < 0.7]
    filled_by = _shared([_value(found[place]) for place in places], 0 if style == "?" else 0.3, dice)
    filled = [
        [place for place, one in zip(places, filled_by, strict=True) if one == number]
        for number in range(len({*filled_by}))
    ]
    values = [_value(found[those[0]]) for those in filled]
    markers = [style.replace("1", str(number + 1)) for number in filled_by]
    as_texts = [
        dice.random() < 0.5 and all(_may_be_text(statement.judged, found[place]) for place in those) for those in filled
    ]
    text = replace(statement, judged=_filled(statement.judged, dict(zip(places, markers, strict=True)))).asked
    made: list[Call] = []
    for number in range(number_of):
        chosen = [_like(value, values, dice) for value in values] if number else values
        literals = {place: _rendered(chosen[one]) for place, one in zip(places, filled_by, strict=True)}
        sent = [str(one) if text else one for one, text in zip(chosen, as_texts, strict=True)]
        named = {marker.removeprefix(":"): sent[one] for marker, one in zip(markers, filled_by, strict=True)}
        constant = replace(statement, judged=_filled(statement.judged, literals))
        made.append(Call(text, named if style == ":p1" else sent, constant))
    return made


def _shared(values: Sequence[Value], likely: float, dice: random.Random) -> list[int]:
    """Which parameter fills each place: one of its own, or that of an earlier one whose values would do here, too."""
    filled_by: list[int] = []
    for place, value in enumerate(values):
        others = [one for one in range(place) if _kind(values[one]) == _kind(value)]
        shared = bool(others) and dice.random() < likely
        filled_by.append(filled_by[dice.choice(others)] if shared else len({*filled_by}))
    return filled_by


def _kind(value: Value) -> tuple[type, str]:
    """What others of a value have in common with it: see `_like`."""
    if not isinstance(value, str):
        return type(value), ""
    is_number, is_time = value.isdecimal(), _TIME.fullmatch(value) is not None
    return str, "unit" if value in UNITS else "time" if is_time else "number" if is_number else ""


def _may_be_text(sql: str, found: re.Match[str]) -> bool:
    return (
        found["number"] is not None
        and not _BY_KIND.search(sql)
        and _COLUMN_BEFORE.search(sql, 0, found.start()) is not None
        and not _MORE_BEHIND.match(sql, found.end())
    )


def _filled(sql: str, texts: Mapping[int, str]) -> str:
    """The text with other texts in the place of some of its constants."""
    numbers = count()

    def put(found: re.Match[str]) -> str:
        text = texts.get(next(numbers))
        return found[0] if text is None else f"({text}" if found["first"] else text

    return _LITERAL.sub(put, sql)


def _like(value: Value, values: Sequence[Value], dice: random.Random) -> Value:
    """Another value of the same type, or the same again; of a text that is a number or a time, another such text."""
    if isinstance(value, bool) or value is None:
        return value if value is None else dice.random() < 0.5
    others: Sequence[Value] = TEXTS if isinstance(value, str) else NUMBERS
    choices: list[Value] = [*(one for one in values if type(one) is type(value)), *others]
    if value in UNITS:
        return dice.choice(UNITS)
    if isinstance(value, str) and _TIME.fullmatch(value):
        return dice.choice([*TIMES, *(one for one in values if isinstance(one, str) and _TIME.fullmatch(one))])
    if isinstance(value, str) and value.isdecimal():  # a number may be compared with it
        choices = [one for one in choices if isinstance(one, str) and one.isdecimal()]
    return dice.choice(choices)


def _rendered(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
    return "'" + value.replace("'", "''") + "'"


def _value(found: re.Match[str]) -> Value:
    if found["null"]:
        return None
    if found["word"]:
        return bool(found["word"] == "true")
    if found["number"]:
        return int(found["number"])
    text: str = found["text"] or found["first"]
    return text[1:-1].replace("''", "'")
