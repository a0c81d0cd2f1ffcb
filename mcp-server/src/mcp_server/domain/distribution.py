"""How the values of an attribute are spread, as far as a sample tells, and which share of them lies in a range.

Positions between a sample's values are interpolated: those of ISO dates and times by time, those of other texts as
PostgreSQL does (`convert_string_to_scalar` in src/backend/utils/adt/selfuncs.c), which reads what follows a common
beginning as digits after the point.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

_Value = TypeVar("_Value", str, Decimal)

FEWEST = 8
"""Fewer sampled values tell nothing of a range."""

MOST_CHARACTERS = 64
"""Longer texts are kept by their beginning, which has their place in the order."""

_TIME = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?")
_EACH = (12, 31, 24, 60, 60)
"""How many months a year has, days a month, and so on."""
_FROM_ONE = 2
"""So many of these count from 1."""

_DIGITS = 10
"""Characters that are read as digits: more than a float tells apart."""


@dataclass(frozen=True, slots=True)
class End(Generic[_Value]):
    """One end of a range."""

    value: _Value
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Distribution(Generic[_Value]):
    """Values at equal steps through the sorted sample, `points`; `sampled` is how many values that had.

    `distinct` is how many different values all items are estimated to have. Numbers and texts are as they are stored;
    at least FEWEST were sampled.
    """

    points: tuple[_Value, ...]
    sampled: int
    distinct: float

    @property
    def floor(self) -> float:
        """The share that values have of which there is none in the sample, by Laplace's rule of succession."""
        return 1 / (self.sampled + 2)

    def share_of(self, value: _Value) -> float:
        """The share of the values that are that one."""
        times = bisect_right(self.points, value) - bisect_left(self.points, value)
        return times / len(self.points) if times > 1 else self._one

    def between(self, low: End[_Value] | None, high: End[_Value] | None) -> float:
        """The share of the values between the ends, None being open; at least the floor beyond the sample's ends."""
        least = 0.0 if low is None else self._rank(low.value, after=not low.inclusive)
        most = 1.0 if high is None else self._rank(high.value, after=high.inclusive)
        share = max(most - least, 0.0)
        ends = self.points[0], self.points[-1]
        beyond = (low is not None and low.value > ends[1]) or (high is not None and high.value < ends[0])
        return max(share, self.floor) if beyond or low is None or high is None else max(share, self._one)

    @property
    def _one(self) -> float:
        """The share of a value that stands out by nothing."""
        return 1 / max(self.distinct, 1.0)

    def _rank(self, value: _Value, *, after: bool) -> float:
        """The share of the values that are less, or with `after` at most that."""
        points = self.points
        left, right = bisect_left(points, value), bisect_right(points, value)
        if right - left > 1:  # a value that many items have
            place = float(right if after else left)
        elif right > left:
            place = left + 0.5
        elif left in (0, len(points)):
            place = float(left)
        else:
            place = left - 0.5 + _fraction(points[left - 1], value, points[left])
        return place / len(points)


def distribution(values: Sequence[_Value], presence: float, items: int, most: int) -> Distribution[_Value] | None:
    """What a sample's values tell of an attribute that this share of so many items has; at most `most` points are kept.

    None of too few values.
    """
    if len(values) < FEWEST:
        return None
    ordered = sorted(values)
    count = len(ordered)
    kept = ordered if count <= most else [ordered[(2 * step + 1) * count // (2 * most)] for step in range(most)]
    return Distribution(tuple(kept), count, distinct_values(Counter(ordered), items * presence))


def distinct_values(times: Counter[_Value] | Counter[tuple[str, ...]], items: float) -> float:
    """How many different values so many items have, of which a sample has each so many times.

    The estimator Duj1 (Haas et al., Sampling-Based Estimation of the Number of Distinct Values, VLDB 1995).
    """
    sampled = times.total()
    once = sum(1 for number in times.values() if number == 1)
    return len(times) / (1 - (1 - sampled / max(items, sampled)) * once / sampled)


def _fraction(low: _Value, value: _Value, high: _Value) -> float:
    """Where a value lies between two others: 0 to 1."""
    if isinstance(low, str):
        least, at, most = _times(low, value, high) or _after_common(low, value, high)
    else:
        least, at, most = float(low), float(value), float(high)
    span = most - least
    return min(1.0, max(0.0, (at - least) / span)) if 0 < span < float("inf") else 0.5


def _times(*texts: str) -> tuple[float, float, float] | None:
    """Three texts as times, in years, that stand at the same place after the same beginning."""
    found = [_TIME.search(text) for text in texts]
    beginnings = {text[: one.start()] for text, one in zip(texts, found, strict=True) if one is not None}
    if None in found or len(beginnings) > 1:
        return None
    low, value, high = (_years(one) for one in found if one is not None)
    return low, value, high


def _years(time: re.Match[str]) -> float:
    years, unit = float(time[1]), 1.0
    for number, (part, each) in enumerate(zip(time.groups()[1:], _EACH, strict=True)):
        unit /= each
        years += unit * (int(part) - (number < _FROM_ONE)) if part is not None else 0.0
    return years


def _after_common(low: str, value: str, high: str) -> tuple[float, float, float]:
    """Three texts, the first and the last of which differ, as digits after the point."""
    shorter = min(len(low), len(high))
    start = next((place for place in range(shorter) if low[place] != high[place]), shorter)
    ends = low[start:], high[start:]
    return _number(ends[0], ends), _number(value[start:], ends), _number(ends[1], ends)


def _number(text: str, among: tuple[str, str]) -> float:
    """A text as digits after the point, in the alphabet of those that it lies among."""
    codes = [ord(character) for one in among for character in one[:_DIGITS]]
    low, base = min(codes), max(codes) - min(codes) + 2
    found, weight = 0.0, 1.0
    for character in text[:_DIGITS]:
        weight /= base
        found += min(max(ord(character) - low + 1, 0), base - 1) * weight  # the end of a text comes before each
    return found
