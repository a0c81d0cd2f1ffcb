"""Instants as items hold them: ISO 8601 texts, and numbers that count seconds or parts of them since 1970.

An instant is a whole number of microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999 of UTC. That is DuckDB's
resolution, so what a text or number tells beyond it is cut off, as DuckDB cuts the fractions of texts.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal

EpochUnit = Literal["s", "ms", "us"]
"""What a number counts since 1970."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND

_PLACES: dict[EpochUnit, int] = {"s": 6, "ms": 3, "us": 0}
"""Decimal places between a unit and the microsecond."""
_LARGEST_PLACE = 20
_EXACT = Context(prec=200)
# What Arrow's reader takes for a timestamp, and besides: a day alone, no zone, more digits of a second.
_TEXT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?)"
    r"(?:(?<=\.[0-9]{6})[0-9]+)?(?P<zone>Z|[+-][0-9]{2}(?::?[0-5][0-9])?)?)?"
)


def instant_of_text(content: object) -> int | None:
    """The instant that an ISO 8601 text names, in UTC where it has no zone; None for anything else."""
    found = _TEXT.fullmatch(content) if isinstance(content, str) else None
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{found['day']}T{found['time'] or '00'}{found['zone'] or 'Z'}")
    except ValueError:
        return None
    instant = (moment - EPOCH) // _MICROSECOND
    return instant if FIRST <= instant <= LAST else None


def names_zone(text: str) -> bool:
    """Whether a text that names an instant tells a time of day and its zone."""
    found = _TEXT.fullmatch(text)
    return found is not None and found["zone"] is not None


def instant_of_number(number: Decimal, unit: EpochUnit) -> int | None:
    """The instant that a number counts to; None where that is outside of the years 1 to 9999."""
    if not number.is_finite() or number.adjusted() > _LARGEST_PLACE:
        return None
    instant = int(_EXACT.scaleb(number, _PLACES[unit]).to_integral_value(ROUND_FLOOR))
    return instant if FIRST <= instant <= LAST else None


def first_number_of(instant: int, unit: EpochUnit) -> int | Decimal:
    """The least number that counts to that instant or beyond, exactly."""
    whole, rest = divmod(instant, 10 ** _PLACES[unit])
    return whole if rest == 0 else _EXACT.scaleb(Decimal(instant), -_PLACES[unit])
