"""A statement with what the engine is asked, and what judges the answer.

The judged text calls `exact_number` and `number_by_order` where a column of numbers and texts is compared with numbers.
The judge has them as macros, which say the rule of docs/sql.md; the engine is asked without them.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_AS_NUMBERS = re.compile(r"(?:exact_number|number_by_order)\(([^()]*)\)")
_LITERAL = re.compile(
    r"(?<=[=<>] )(?P<number>-?\d+)(?= |\)|$)|"
    r"(?<=[=<>] )(?P<word>true|false)\b|"
    r"(?<=distinct from )(?P<null>null)|"
    r"(?<=[=<>(,] )(?P<text>'(?:[^']|'')*')(?![':])|"
    r"\((?P<first>'[^']*')(?=[,)])"
)
"""Constants that are a side of a comparison or a member of a list."""


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
        text = _AS_NUMBERS.sub(r"\1", self.judged)
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


def parameterised(sql: str, dice: random.Random) -> tuple[str, Values]:
    """The statement with parameters in the place of some constants: `?`, `?1` or `:name`, and their values."""
    style = dice.choice(["?", "?1", ":name"])
    values: list[Value] = []

    def put(found: re.Match[str]) -> str:
        if dice.random() < 0.3:
            return found[0]
        values.append(_value(found))
        marker = {"?": "?", "?1": f"?{len(values)}", ":name": f":p{len(values)}"}[style]
        return f"({marker}" if found["first"] else marker

    text = _LITERAL.sub(put, sql)
    return text, {f"p{place}": value for place, value in enumerate(values, 1)} if style == ":name" else values


def _value(found: re.Match[str]) -> Value:
    if found["null"]:
        return None
    if found["word"]:
        return found["word"] == "true"
    if found["number"]:
        return int(found["number"])
    return (found["text"] or found["first"])[1:-1].replace("''", "'")
