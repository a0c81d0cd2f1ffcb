"""Texts that a statement compares columns with, beside the texts that the columns' sample held."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mcp_server.domain.dates import iso_date
from mcp_server.domain.schema import Examples, TypeKind
from mcp_server.domain.text_shape import begins
from mcp_server.sql.lowering.patterns import matching, pattern_pieces
from mcp_server.sql.lowering.provenance import Case, Place, path_of

Way = Literal["equals", "like", "ilike", "starts with", "ends with", "contains", "order", "up to"]
"""How a text is compared: `equals` stands for `=`, `<>`, IN and all else that asks whether a value is the text.

`up to` is `<=` and the end of BETWEEN, `order` any other of `<`, `>` and `>=`.
"""
_TIME = "time, ISO 8601"
_ORDERS = ("order", "up to")
_JSON = re.compile(r"""\s*(["\[{]|-?\d|true|false|null)""")
"""How JSON begins."""
_TIME_LIKE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4}.*)?")


@dataclass(frozen=True, slots=True, eq=False)
class SoughtText:
    """A text that values are compared with.

    `places` are where all of the values come from, none where that is not known; `column` is what the statement calls
    them. `escape` belongs to LIKE. `as_json` tells that JSON is compared, as `doc->'city'` is. `filters` tells that
    every row of the result has such a value, if there is a row; of a result that is one number, if it is not 0.
    """

    places: tuple[Place, ...]
    column: str
    case: Case | None
    way: Way
    text: str
    escape: str = ""
    filters: bool = False
    as_json: bool = False

    @property
    def shown(self) -> str:
        """What is compared, as people see it."""
        if self.places:
            return " or ".join(dict.fromkeys(place.shown for place in self.places))
        return f'{self.case}("{self.column}")' if self.case is not None else f'"{self.column}"'

    @property
    def wrong_case(self) -> bool:
        """Whether the text has letters of the case that the values have not, so that nothing matches it."""
        if self.case is None or self.way in ("ilike", *_ORDERS):
            return False
        first, last = ("A", "Z") if self.case == "lower" else ("a", "z")
        return any(first <= one <= last and one != self.escape for one in self.text)

    @property
    def is_no_json(self) -> bool:
        """Whether JSON is compared with a text that is none, so that nothing equals it."""
        return self.as_json and self.way == "equals" and _JSON.match(self.text) is None

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
        known = self.known() if self.way not in _ORDERS else ()
        return bool(known) and not self._matches(known)

    def samples(self) -> tuple[Examples, ...]:
        """What the sample held in each place, if every place is a whole column of texts; else nothing."""
        found = [place.part.column.examples for place in self.places if _is_text(place)]
        known = tuple(one for one in found if one is not None)
        return known if len(known) == len(self.places) else ()

    def strange(self) -> bool:
        """Whether no text that is written like those of the sample can be the text, or begin like it."""
        shapes = [one.shape for one in self.samples()]
        beginning = self._beginning()
        if not shapes or beginning is None or self.case is not None:
            return False
        whole = self.way == "equals"
        return all(
            shape is not None and (not begins(beginning, shape) or (whole and len(beginning) != len(shape)))
            for shape in shapes
        )

    def other_case(self) -> Literal["lower", "upper"] | None:
        """The case of all letters of the sample, if the text has letters of the other."""
        cases = {one.one_case for one in self.samples()}
        if len(cases) != 1 or self.case is not None or self.way in ("ilike", *_ORDERS):
            return None
        (case,) = cases
        has_other = case is not None and (self.text.upper() if case == "upper" else self.text.lower()) != self.text
        return case if has_other else None

    def last_day(self) -> date | None:
        """The day up to which times are asked for, if the text is one: no time of that day is met."""
        return iso_date(self.text) if self.way == "up to" and self._are_times() else None

    def is_hint(self) -> bool:
        """Whether something can be said that does not hang on the text, so that it is looked at for every text."""
        return any(one.shape is not None or one.one_case is not None for one in self.samples())

    def _are_times(self) -> bool:
        samples = self.samples()
        return bool(samples) and all((one.form or "").startswith(_TIME) for one in samples)

    def _beginning(self) -> str | None:
        """What the values would have to begin with; None where that cannot be said."""
        if self.way in _ORDERS:
            return self.text if self._are_times() and _TIME_LIKE.fullmatch(self.text) else None
        if self.way == "like":
            pieces = pattern_pieces(self.text, self.escape)
            return pieces[0].text if pieces and not pieces[0].wildcard else None
        return self.text if self.way in ("equals", "starts with") else None

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


def _is_text(place: Place) -> bool:
    return not place.part.steps and place.part.column.type.kind is TypeKind.VARCHAR


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
