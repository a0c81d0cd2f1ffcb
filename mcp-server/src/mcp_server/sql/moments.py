"""What DuckDB makes of a date or a moment of UTC: the period it lies in, its text, its number."""

import calendar
import re
from datetime import date, datetime, time, timedelta

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
DAYS = frozenset({"DAY", "WEEK", *_MONTHS})
"""The units of periods that are whole days."""
_TIMES = {"HOUR": timedelta(hours=1), "MINUTE": timedelta(minutes=1), "SECOND": timedelta(seconds=1)}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - DuckDB runs in UTC, and constants have no zone
_MICROSECOND = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)
_FIRST_YEAR = 1000
"""Years before are written with fewer digits than four by some."""
_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)


def period(day: date, unit: str) -> tuple[date, date]:
    """The first day of the period in which a day lies, and that of the next one. Raises OverflowError, ValueError."""
    if unit == "DAY":
        return day, day + _ONE_DAY
    if unit == "WEEK":
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    months = _MONTHS[unit]
    start = date(day.year, (day.month - 1) // months * months + 1, 1)
    last = start.month + months - 1
    return start, date(day.year, last, calendar.monthrange(day.year, last)[1]) + _ONE_DAY


def moment_of(value: object) -> datetime | None:
    """A moment itself, and of a date its midnight."""
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time()) if isinstance(value, date) else None


def truncated(value: object, unit: str) -> datetime | None:
    """The moment, which `date_trunc` makes of dates too, cut down to the beginning of its unit."""
    moment = moment_of(value)
    if moment is None:
        return None
    if unit in _TIMES:
        return moment - (moment - _EPOCH) % _TIMES[unit]
    try:
        return datetime.combine(period(moment.date(), unit)[0], time()) if unit in DAYS else None
    except (OverflowError, ValueError):
        return None


def written(value: object, *, zoned: bool) -> str | None:
    """A date or a moment as its cast to VARCHAR writes it; a `zoned` one with the zone."""
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else None
    whole, _, fraction = value.isoformat(sep=" ", timespec="microseconds").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{'.' * bool(fraction)}{fraction}{'+00' * zoned}"


def formatted(value: object, form: object) -> str | None:
    """What `strftime` makes of a date or a moment; None of forms that have other parts than these."""
    moment = moment_of(value)
    if moment is None or not isinstance(form, str) or moment.year < _FIRST_YEAR:
        return None
    parts = {
        "Y": f"{moment.year:04}",
        "m": f"{moment.month:02}",
        "d": f"{moment.day:02}",
        "H": f"{moment.hour:02}",
        "M": f"{moment.minute:02}",
        "S": f"{moment.second:02}",
        "f": f"{moment.microsecond:06}",
        "g": f"{moment.microsecond // 1000:03}",
        "%": "%",
    }
    if any(found[1] not in parts for found in _SPECIFIER.finditer(form)):
        return None
    return _SPECIFIER.sub(lambda found: parts[found[1]], form)


def milliseconds(value: object) -> int | None:
    """What `epoch_ms` makes of a date or a moment since 1970: DuckDB rounds half a millisecond up."""
    moment = moment_of(value)
    if moment is None or moment < _EPOCH:
        return None
    return ((moment - _EPOCH) // _MICROSECOND + 500) // 1000
