"""Proposes which attributes hold times by their sampled values: ISO 8601 texts with a zone, or numbers since 1970."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, get_args

from mcp_server.domain.instants import EPOCH, EpochUnit, instant_of_number, instant_of_text, names_zone

Sampled = Sequence[str | Decimal | None]
"""The values of an attribute: texts, numbers, and None for one of another type; NULL is left out."""

_MICROSECOND = timedelta(microseconds=1)
_FIRST, _END = ((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND for year in (2000, 2100))
"""Numbers that count to other years are taken to count something else."""
_LONGEST_SPAN: Final = timedelta(days=3653) // _MICROSECOND
_ENOUGH = 10
"""So many different numbers within ten years are times whatever they are called, if a number of their size is rare."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TIME_WORDS = frozenset(
    word
    for words in (
        "at time times timestamp ts date datetime epoch ms millis since until when seen due deadline",
        "created updated modified changed deleted started ended expires expire expiry expiration ttl",
    )
    for word in words.split()
)
_TIME_ENDS = ("time", "stamp", "date", "edat")


@dataclass(frozen=True, slots=True)
class SuggestedTime:
    """An attribute whose `values` sampled values are instants from `first` to `last`; without a `unit`, texts."""

    attribute: str
    unit: EpochUnit | None
    values: int
    first: int
    last: int


def suggested_times(attributes: Mapping[str, Sampled]) -> tuple[SuggestedTime, ...]:
    """The attributes each of whose values is a time, by name."""
    found = (_time(name, values) for name, values in sorted(attributes.items()))
    return tuple(one for one in found if one is not None)


def _time(name: str, values: Sampled) -> SuggestedTime | None:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, Decimal)]
    if not values or len(values) not in (len(texts), len(numbers)):
        return None
    if texts:
        instants = [instant for text in texts if names_zone(text) and (instant := instant_of_text(text)) is not None]
        return _suggested(name, None, instants) if len(instants) == len(texts) else None
    for unit in get_args(EpochUnit):
        counted = [instant_of_number(number, unit) for number in numbers]
        instants = [instant for instant in counted if instant is not None and _FIRST <= instant < _END]
        if len(instants) == len(numbers) and (_is_of_time(name) or _tell(unit, instants)):
            return _suggested(name, unit, instants)
    return None


def _suggested(name: str, unit: EpochUnit | None, instants: Sequence[int]) -> SuggestedTime:
    return SuggestedTime(name, unit, len(instants), min(instants), max(instants))


def _is_of_time(name: str) -> bool:
    """Whether a name has a word for a time: `createdAt`, `expires`, `last_seen`."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _TIME_WORDS or word.endswith(_TIME_ENDS) for word in words)


def _tell(unit: EpochUnit, instants: Sequence[int]) -> bool:
    """Whether the numbers alone make it likely. Those of seconds do not: telephone numbers have as many digits."""
    return unit != "s" and len(set(instants)) >= _ENOUGH and max(instants) - min(instants) <= _LONGEST_SPAN
