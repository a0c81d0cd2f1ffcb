"""What functions of texts and whole numbers make of constants, where Python is certain to make the same as DuckDB."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

MAX_TEXT = 4_096
"""Characters of a text that is put together here: a key has fewer, and a statement could ask for gigabytes."""
LARGEST_WRITTEN = 10**18
"""Whole numbers below that have a type of DuckDB that writes them digit by digit."""

_PLACE = re.compile(r"\{(?::0([1-9])d)?\}")
"""A place of `format` that takes a value as it is, or a whole number with zeros before it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function that is NULL of NULL: the parts of its node that are arguments, and those that say how it works.

    `result` gets the arguments' values, none of them NULL, and the options by name; None says that it is not certain.
    """

    arguments: tuple[str, ...]
    result: Callable[..., str | int | None]
    options: tuple[str, ...] = ()


def _of_ascii(result: Callable[..., str | None]) -> Callable[..., str | None]:
    """The function for short texts of ASCII alone, of which all agree what a character, its case and a blank is."""

    def checked(*values: Any, **options: Any) -> str | None:
        texts = [value for value in values if not _is_count(value)]
        if not all(isinstance(text, str) and text.isascii() and len(text) <= MAX_TEXT for text in texts):
            return None
        return result(*values, **options)

    return checked


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_TEXT


def _lower(text: Any) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _upper(text: Any) -> str | None:
    return text.upper() if isinstance(text, str) else None


def _trimmed(text: Any, characters: Any = " ", *, position: Any = None) -> str | None:
    if not isinstance(text, str) or not isinstance(characters, str):
        return None
    match str(position or "BOTH").upper():
        case "LEADING":
            return text.lstrip(characters)
        case "TRAILING":
            return text.rstrip(characters)
    return text.strip(characters)


def _left(text: Any, count: Any) -> str | None:
    return text[:count] if isinstance(text, str) and _is_count(count) else None


def _right(text: Any, count: Any) -> str | None:
    return text[max(0, len(text) - count) :] if isinstance(text, str) and _is_count(count) else None


def _substring(text: Any, start: Any, length: Any = MAX_TEXT) -> str | None:
    if not isinstance(text, str) or not _is_count(start) or not _is_count(length) or start == 0:
        return None
    return text[start - 1 : start - 1 + length]


def _padded(text: Any, width: Any, filling: Any, *, is_left: Any) -> str | None:
    if not isinstance(text, str) or not isinstance(filling, str) or not _is_count(width) or not filling:
        return None
    missing = max(0, width - len(text))
    padding = (filling * (missing // len(filling) + 1))[:missing]
    return f"{padding}{text[:width]}" if is_left else f"{text[:width]}{padding}"


def _replaced(text: Any, old: Any, new: Any) -> str | None:
    if not (isinstance(text, str) and isinstance(old, str) and isinstance(new, str)):
        return None
    if len(text) * max(1, len(new)) > MAX_TEXT:
        return None
    return text.replace(old, new) if old else text


def _formatted(template: Any, *values: Any) -> str | None:
    if not isinstance(template, str):
        return None
    places = list(_PLACE.finditer(template))
    if len(places) != len(values) or re.search(r"[{}]", _PLACE.sub("", template)) is not None:
        return None
    pieces, end = [], 0
    for place, value in zip(places, values, strict=True):
        if type(value) is int and 0 <= value < LARGEST_WRITTEN:
            written = str(value).zfill(int(place[1] or 0))
        elif isinstance(value, str) and place[1] is None:
            written = value
        else:
            return None
        pieces += [template[end : place.start()], written]
        end = place.end()
    return "".join([*pieces, template[end:]])


def _remainder(number: Any, divisor: Any) -> int | None:
    return number % divisor if _are_counted(number, divisor) else None


def _quotient(number: Any, divisor: Any) -> int | None:
    return number // divisor if _are_counted(number, divisor) else None


def _are_counted(number: Any, divisor: Any) -> bool:
    """Whether both are whole and neither is negative, so that nothing is rounded; and the divisor is not zero."""
    return type(number) is int and type(divisor) is int and 0 <= number < LARGEST_WRITTEN and divisor > 0


CALLS: Mapping[type[exp.Expr], Call] = {
    exp.Lower: Call(("this",), _of_ascii(_lower)),
    exp.Upper: Call(("this",), _of_ascii(_upper)),
    exp.Trim: Call(("this", "expression"), _of_ascii(_trimmed), ("position",)),
    exp.Left: Call(("this", "expression"), _of_ascii(_left)),
    exp.Right: Call(("this", "expression"), _of_ascii(_right)),
    exp.Substring: Call(("this", "start", "length"), _of_ascii(_substring)),
    exp.Pad: Call(("this", "expression", "fill_pattern"), _of_ascii(_padded), ("is_left",)),
    exp.Replace: Call(("this", "expression", "replacement"), _replaced),
    exp.Format: Call(("this", "expressions"), _formatted),
    exp.Mod: Call(("this", "expression"), _remainder),
    exp.IntDiv: Call(("this", "expression"), _quotient),
}
"""The functions by the kind of their node."""
