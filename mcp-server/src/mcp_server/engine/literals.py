"""Literals that a statement compares something with, taken out of its canonical text: the places in which slots can be.

What stands anywhere else stays in the text: a LIMIT, a pattern, a cast, an argument. Whether a literal that was taken
out is a slot is decided by the statement's tree (`sql/slots.py`).
"""

import re
from dataclasses import dataclass
from typing import Final

from mcp_server.engine.slot_values import kind_of, sql_of
from mcp_server.sql.canonical_text import MARK
from mcp_server.sql.gate.parameters import JsonValue, Parameters
from mcp_server.sql.slots import ColumnSlots

_GAP: Final = "\x02"
"""What stands in the place of a literal. The gate refuses it, so that no text that was sent has it."""

_STRING = r"'(?:[^']|'')*+'"
_ONE = rf"{_STRING}|-?[0-9]{{1,15}}+(?:\.[0-9]{{1,6}}+)?"
_LITERAL = re.compile(_ONE)
_PLACE = re.compile(
    r"(?=[<>=BAI'\"])(?:"
    r"(?:(?<![<>=!~@|&^*%#+\-/:?])(?:[<>]=?|=) ?|(?<=[ )])(?:BETWEEN|AND) )"
    rf"(?P<one>{_ONE})(?=[ ),;]|\Z)"
    rf"|(?<=[ )])IN ?\((?P<several>(?:{_ONE})(?:,(?:{_ONE}))*+)\)"
    rf'|{_STRING}|"(?:[^"]|"")*+")'
)
"""Texts and quoted names are passed over as a whole, so that no place is within one.

Its beginning, what each of the alternatives begins with, lets it pass over most of a text in a third of the time.
"""


@dataclass(frozen=True, slots=True)
class Varying:
    """A statement whose values may be others: its parameters, or literals, in whose place its text has gaps.

    `parameters` are those that fill the places of its text in turn, where one of them fills several.
    """

    text: str
    values: Parameters
    has_gaps: bool = False
    parameters: tuple[str, ...] = ()

    def with_values(self, values: Parameters) -> tuple[str, Parameters]:
        """Text and parameters of the same statement with other values."""
        text = self.text.removeprefix(MARK)
        if not self.has_gaps:
            return text, values
        pieces = text.split(_GAP)
        literals = [sql_of(value) for value in values or ()]
        together = [part for both in zip(pieces, [*literals, ""], strict=True) for part in both]
        return "".join(together), None

    def whole(self, slots: tuple[ColumnSlots, ...]) -> tuple[ColumnSlots, ...]:
        """Those of the slots that are slots wherever their parameters stand: all places of one change together.

        Of one that is compared with a column twice, two values are equal.
        """
        filled_by = {str(place): parameter for place, parameter in enumerate(self.parameters, start=1)}
        if not filled_by:
            return slots
        kept = tuple(one for one in slots if len({filled_by[name] for name in one.names}) == len(one.names))
        while True:
            opened = {name for column in kept for name in column.names}
            shut = {parameter for place, parameter in filled_by.items() if place not in opened}
            fewer = tuple(one for one in kept if shut.isdisjoint(filled_by[name] for name in one.names))
            if fewer == kept:
                return kept
            kept = fewer


def lifted(text: str) -> Varying | None:
    """The statement of a canonical text without its literals; None where none can be a slot."""
    pieces: list[str] = []
    values: list[JsonValue] = []
    end = 0
    for place in _PLACE.finditer(text):
        kind = place.lastgroup
        if kind is None:
            continue
        for literal in _LITERAL.finditer(text, place.start(kind), place.end(kind)):
            value = _value(literal[0])
            if value is not None:
                pieces += (text[end : literal.start()], _GAP)
                values.append(value)
                end = literal.end()
    return Varying("".join((*pieces, text[end:])), tuple(values), has_gaps=True) if values else None


def _value(literal: str) -> JsonValue:
    """The value that a literal writes, if it may fill a slot and is written as `sql_of` writes it; else None."""
    if literal[0] == "'":
        value: str | int | float = literal[1:-1].replace("''", "'")
    else:
        value = float(literal) if "." in literal else int(literal)
    return value if kind_of(value) is not None and sql_of(value) == literal else None
