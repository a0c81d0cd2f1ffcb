"""Formats of times as other databases write them, as those of DuckDB's strftime and strptime.

A format is translated whole or not at all: a letter that means nothing here would be put out as it stands.
"""

import re
from collections.abc import Mapping

_LETTERS = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "DDD": "%j", "HH24": "%H", "HH12": "%I", "HH": "%I",
    "MI": "%M", "SS": "%S", "MS": "%g", "US": "%f", "FF3": "%g", "FF6": "%f", "MON": "%b", "DY": "%a",
    "AM": "%p", "PM": "%p",
}  # fmt: skip
"""Of Oracle, PostgreSQL and Snowflake. `Month` and `Day` are padded with spaces there."""
_JAVA = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "MMM": "%b", "MMMM": "%B", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f",
    "a": "%p", "EEE": "%a", "EEEE": "%A",
}  # fmt: skip
"""Of Spark."""
_MYSQL = {
    "%Y": "%Y", "%y": "%y", "%m": "%m", "%c": "%-m", "%d": "%d", "%e": "%-d", "%H": "%H", "%k": "%-H", "%h": "%I",
    "%I": "%I", "%l": "%-I", "%i": "%M", "%s": "%S", "%S": "%S", "%f": "%f", "%p": "%p", "%M": "%B", "%b": "%b",
    "%W": "%A", "%a": "%a", "%w": "%w", "%j": "%j", "%T": "%H:%M:%S", "%r": "%I:%M:%S %p", "%%": "%%",
}  # fmt: skip
"""Of MySQL and Trino."""
_C = {
    **{f"%{letter}": f"%{letter}" for letter in "YymdHIMSpbBaAjf%"},
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S",
}  # fmt: skip
"""Of BigQuery and SQLite."""

_PARTS_OF_LETTERS = re.compile(
    r"HH24|HH12|FF[36]|DDD|MON|YYYY|YY|MM|DD|DY|HH|MI|SS|MS|US|AM|PM|[A-Z0-9]", re.IGNORECASE
)
_PARTS_OF_JAVA = re.compile(r"([A-Za-z])\1*|[0-9]")
_PARTS_OF_PERCENT = re.compile(r"%.?", re.DOTALL)
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_OF_A_TIME = re.compile(r"%-?[HIMSgfp]")


def of_letters(format_: str, *, is_read: bool = False) -> str | None:
    """`YYYY-MM-DD` and `yyyy-MM-dd`; `is_read` tells that texts are read with it, in which the case of names is free.

    Capitals and small letters mean the same to some databases; where both occur, it is Spark's if that can be.
    """
    letters = _QUOTED.sub("", format_)
    if letters.upper() != letters != letters.lower():
        java = _unquoted(format_, _PARTS_OF_JAVA, _JAVA)
        if java is not None:
            return java
    if not is_read and re.search(r"MON|mon|DY|dy|am|pm", letters):
        return None  # these are put out in the case in which they are written
    return _unquoted(format_, _PARTS_OF_LETTERS, _LETTERS, any_case=True)


def of_mysql(format_: str) -> str | None:
    """`%Y-%m-%d %H:%i:%s`."""
    return _translated(format_, _PARTS_OF_PERCENT, _MYSQL)


def of_c(format_: str) -> str | None:
    """`%Y-%m-%d %H:%M:%S`."""
    return _translated(format_, _PARTS_OF_PERCENT, _C)


def has_time_of_day(format_: str) -> bool:
    """Whether one of ours has more than the parts of a date."""
    return _OF_A_TIME.search(format_) is not None


def _unquoted(
    format_: str, part: re.Pattern[str], meanings: Mapping[str, str], *, any_case: bool = False
) -> str | None:
    """A format in which what stands in quotes stands for itself."""
    translated = ""
    for section in _QUOTED.split(format_.replace("%", "%%")):
        if _QUOTED.fullmatch(section):
            translated += section[1:-1]
            continue
        ours = _translated(section, part, meanings, any_case=any_case)
        if ours is None:
            return None
        translated += ours
    return translated


def _translated(
    format_: str, part: re.Pattern[str], meanings: Mapping[str, str], *, any_case: bool = False
) -> str | None:
    parts = {found[0] for found in part.finditer(format_)}
    ours = {one: meanings.get(one.upper() if any_case else one) for one in parts}
    if not parts or None in ours.values():
        return None
    return part.sub(lambda found: str(ours[found[0]]), format_)
