"""Texts that a statement compares columns with, beside the texts that the columns' sample held."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mcp_server.domain.schema import TypeKind
from mcp_server.sql.lowering.patterns import matching, pattern_pieces
from mcp_server.sql.lowering.provenance import Case, Place, path_of

Way = Literal["equals", "like", "ilike", "starts with", "ends with", "contains"]
"""How a text is compared: `equals` stands for `=`, `<>`, IN and all else that asks whether a value is the text."""


@dataclass(frozen=True, slots=True, eq=False)
class SoughtText:
    """A text that values are compared with.

    `places` are where all of the values come from, none where that is not known; `column` is what the statement calls
    them. `escape` belongs to LIKE. `filters` tells that every row of the result has such a value, if there is a row; of
    a result that is one number, if it is not 0.
    """

    places: tuple[Place, ...]
    column: str
    case: Case | None
    way: Way
    text: str
    escape: str = ""
    filters: bool = False

    @property
    def shown(self) -> str:
        """What is compared, as people see it."""
        if self.places:
            return " or ".join(dict.fromkeys(place.shown for place in self.places))
        return f'{self.case}("{self.column}")' if self.case is not None else f'"{self.column}"'

    @property
    def wrong_case(self) -> bool:
        """Whether the text has letters of the case that the values have not, so that nothing matches it."""
        if self.case is None or self.way == "ilike":
            return False
        first, last = ("A", "Z") if self.case == "lower" else ("a", "z")
        return any(first <= one <= last and one != self.escape for one in self.text)

    def values(self) -> tuple[str, ...]:
        """The values of all places in the sample, as they are stored; none where they are not known, or too many."""
        found: dict[str, None] = {}
        for place in self.places:
            values = _values(place)
            if not values:
                return ()
            found |= dict.fromkeys(values)
        return tuple(found)

    def known(self) -> list[str]:
        """The values as they are compared, each in its place's case; none where `values` has none."""
        return (
            [in_case(value, place.case) for place in self.places for value in _values(place)] if self.values() else []
        )

    def unseen(self) -> bool:
        """Whether the values are known, and the text matches none of them."""
        known = self.known()
        return bool(known) and not self._matches(known)

    def _matches(self, values: Iterable[str]) -> bool:
        text = self.text
        match self.way:
            case "equals":
                return text in values
            case "starts with":
                return any(value.startswith(text) for value in values)
            case "ends with":
                return any(value.endswith(text) for value in values)
            case "contains":
                return any(text in value for value in values)
        pieces = pattern_pieces(text, self.escape)
        if pieces is None:
            return True
        pattern = matching(pieces, ignore_case=self.way == "ilike")
        return any(pattern.fullmatch(value) is not None for value in values)


def _values(place: Place) -> tuple[str, ...]:
    column, steps = place.part.column, place.part.steps
    if column.examples is None or not (steps or column.type.kind is TypeKind.VARCHAR):
        return ()
    return column.examples.of(path_of(steps))


def in_case(text: str, case: Case | None) -> str:
    """A text in a case as DuckDB puts it there: character by character, none into two."""
    if case is None:
        return text
    return "".join(
        other if len(other) == 1 else one for one in text for other in [one.lower() if case == "lower" else one.upper()]
    )
