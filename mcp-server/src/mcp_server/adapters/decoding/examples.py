"""What the values of an attribute look like, from a sample: the few that there are, their range, their form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from mcp_server.domain.schema import AttributeType, Examples
from mcp_server.domain.text_shape import shape_of, shared

MOST_VALUES, LONGEST = 40, 40
"""So many different values of at most so many characters are told one by one."""
_TIMES_EACH = 2
"""Values that come less often than that on average name their items rather than a kind of them."""
_MOST_BEGINNINGS = 10
_ENOUGH = 10
"""So many texts that are written alike make it likely that all are."""

_FORMS: Mapping[str, re.Pattern[str]] = {
    "digits": re.compile(r"[0-9]+"),
    "date, YYYY-MM-DD": re.compile(r"\d{4}-\d\d-\d\d"),
    "time, ISO 8601 in UTC": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z"),
    "time, ISO 8601": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:?\d\d|Z)?"),
    "UUID": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
_CASES = {"lower": "upper", "upper": "lower"}
"""By the case that letters have, the method that would change them."""
_BEGINNING = re.compile(r"[A-Za-z][A-Za-z_-]*[#:|/]")
_TIMES = ((10**9, 10**10, "time, seconds since 1970"), (10**12, 10**13, "time, milliseconds since 1970"))


@dataclass(slots=True)
class FewValues:
    """How many values there were, and which, as long as they are few."""

    count: int = 0
    values: dict[str, None] | None = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Takes one value in, as it is written."""
        self.count += 1
        if self.values is not None:
            self.values[text] = None
            if len(self.values) > MOST_VALUES or len(text) > LONGEST:
                self.values = None

    def told(self, *, whole: bool, most_items: int | None = None) -> tuple[str, ...]:
        """The values, where they are few and do not name their items; those of lists came in `most_items` lists."""
        values = tuple(self.values or ())
        count = self.count if most_items is None else min(self.count, most_items)
        return values if whole or count >= _TIMES_EACH * len(values) else ()


@dataclass(slots=True)
class Seen(FewValues):
    """The texts and numbers of one attribute."""

    texts: tuple[str, str] | None = None
    numbers: tuple[Decimal, Decimal] | None = None
    forms: frozenset[str] = frozenset(_FORMS)
    beginnings: dict[str, None] | None = field(default_factory=dict)
    shape: str | None = None
    cases: set[str] = field(default_factory=set)

    def add_text(self, text: str) -> None:
        """Takes one text in."""
        self.add(text)
        shape = shape_of(text) if len(text) <= LONGEST else None
        self.shape = shape if self.texts is None else shared(self.shape, shape)
        if len(self.cases) < len(_CASES):
            self.cases |= {case for case, other in _CASES.items() if getattr(text, other)() != text}
        low, high = self.texts or (text, text)
        self.texts = min(low, text), max(high, text)
        if self.forms:
            self.forms = frozenset(name for name in self.forms if _FORMS[name].fullmatch(text))
        if self.beginnings is not None:
            found = _BEGINNING.match(text)
            if found is not None:
                self.beginnings[found.group()] = None
            if found is None or len(self.beginnings) > _MOST_BEGINNINGS:
                self.beginnings = None

    def add_number(self, text: str, number: Decimal) -> None:
        """Takes one number in, as it is written."""
        self.add(text)
        low, high = self.numbers or (number, number)
        self.numbers = min(low, number), max(high, number)

    def examples(self, types: frozenset[AttributeType], *, whole: bool) -> Examples | None:
        """What there is to tell of an attribute of those types; `whole` tells that no item was left out."""
        if not self.count or not types <= {AttributeType.STRING, AttributeType.NUMBER}:
            return None
        values = self.told(whole=whole)
        low, high = self._range() if len(types) == 1 else (None, None)
        ordered = sorted(values, key=Decimal) if types == {AttributeType.NUMBER} else sorted(values)
        form = self._form() if len(types) == 1 else None
        if types != {AttributeType.STRING} or self.count < _ENOUGH:
            return Examples(tuple(ordered), low, high, form)
        return Examples(tuple(ordered), low, high, form, shape=self.shape if low else None, one_case=self._one_case())

    def _one_case(self) -> Literal["lower", "upper"] | None:
        return ("lower" if "lower" in self.cases else "upper") if len(self.cases) == 1 else None

    def _range(self) -> tuple[str | None, str | None]:
        if self.numbers is not None:
            low, high = self.numbers
            return f"{low:f}", f"{high:f}"
        if self.texts is not None and max(map(len, self.texts)) <= LONGEST:
            return self.texts
        return None, None

    def _form(self) -> str | None:
        if self.numbers is not None:
            low, high = self.numbers
            return next((name for least, most, name in _TIMES if least <= low and high < most), None)
        if self.forms:
            return next(name for name in _FORMS if name in self.forms)
        return ", ".join(f"{one}…" for one in sorted(self.beginnings)) if self.beginnings else None
