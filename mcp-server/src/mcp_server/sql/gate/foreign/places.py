"""The arguments that a call of another database's function may have, each as it is written in DuckDB's dialect."""

import re
from collections.abc import Callable

from mcp_server.sql.gate.foreign import formats
from mcp_server.sql.gate.foreign.pieces import Argument, closing, outside_brackets

UNITS = frozenset(("year", "quarter", "month", "day", "hour", "minute", "second"))
"""Units that all databases count alike; their weeks begin on different days."""
_EXACT = frozenset(("day", "hour", "minute", "second"))
"""Units that are always equally long."""
_ORACLE = {
    "YYYY": "year", "YEAR": "year", "YY": "year", "Q": "quarter", "MONTH": "month", "MM": "month", "MON": "month",
    "IW": "week", "DD": "day", "DDD": "day", "HH": "hour", "HH24": "hour", "MI": "minute",
}  # fmt: skip
_AGGREGATED = ("distinct", "all", "order", "separator", "using", "as", "from", "for")
"""Words by which an argument is more than a value."""


def _any(argument: Argument) -> str | None:
    """A value, in brackets unless it binds as tightly as a name."""
    found = argument.pieces
    if any(found[place].is_word(*_AGGREGATED) for place in outside_brackets(found)):
        return None
    if argument.only is not None or re.fullmatch(r"[\w.]+", argument.text):
        return argument.text
    is_call = found[0].kind == "word" and found[1].text == "(" and closing(found, 1) == len(found) - 1
    is_text = len(found) == 2 and found[0].is_word("date", "timestamp") and found[1].kind == "text"
    return argument.text if is_call or is_text else f"({argument.text})"


def _time(argument: Argument) -> str | None:
    """A value that is not DuckDB's name of a unit, which it has in the first place."""
    return _any(argument) if argument.only is None or argument.only.kind != "text" else None


def _interval(argument: Argument) -> str | None:
    return argument.text if argument.pieces[0].is_word("interval") else None


def _word(argument: Argument, units: frozenset[str] = UNITS) -> str | None:
    """A unit without quotes; DuckDB has them as texts."""
    one = argument.only
    unit = one.text.lower() if one is not None and one.kind == "word" else ""
    return f"'{unit}'" if unit in units else None


def _exact(argument: Argument) -> str | None:
    return _word(argument, _EXACT)


def _step(argument: Argument) -> str | None:
    """The function that makes an interval of a number, as of a unit with or without quotes."""
    one = argument.only
    unit = one.text.strip("'").lower() if one is not None and one.kind in ("word", "text") else ""
    return f"to_{unit}s" if unit in (*UNITS, "week") else None


def _oracle(argument: Argument) -> str | None:
    text = _literal(argument)
    unit = _ORACLE.get(text.upper()) if text is not None else None
    return f"'{unit}'" if unit is not None else None


def _whole(argument: Argument) -> str | None:
    return argument.text if re.fullmatch(r"-?[1-9]\d*", argument.text) else None


def _one(argument: Argument) -> str | None:
    """The first part of a text, or the last."""
    return argument.text if argument.text in ("1", "-1") else None


def _first(argument: Argument) -> str | None:
    """The slice of the first or the last elements of a list."""
    number = _whole(argument)
    if number is None:
        return None
    return f"{number}:" if number.startswith("-") else f":{number}"


def _literal(argument: Argument) -> str | None:
    """What a text says; a format in double quotes is one, too."""
    one = argument.only
    if one is None or one.kind not in ("text", "name"):
        return None
    mark = one.text[0]
    return one.text[1:-1].replace(mark * 2, mark)


def _format(translate: Callable[[str], str | None]) -> Callable[[Argument], str | None]:
    def written(argument: Argument) -> str | None:
        text = _literal(argument)
        ours = translate(text) if text is not None else None
        return "'" + ours.replace("'", "''") + "'" if ours is not None else None

    return written


PLACES: dict[str, Callable[[Argument], str | None]] = {
    "any": _any,
    "time": _time,
    "interval": _interval,
    "word": _word,
    "exact": _exact,
    "step": _step,
    "oracle": _oracle,
    "whole": _whole,
    "one": _one,
    "first": _first,
    "letters": _format(formats.of_letters),
    "read": _format(lambda format_: formats.of_letters(format_, is_read=True)),
    "mysql": _format(formats.of_mysql),
    "c": _format(formats.of_c),
}
"""Kinds of arguments: how one is written, or None if it is not of the kind."""
