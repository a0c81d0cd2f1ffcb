"""DuckDB's dates, times and intervals as ISO 8601 texts, also where Python's own types end. Pure."""

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_SECONDS = 86_400
_INFINITE_DATE = 2**31 - 1
_INFINITE_TIMESTAMP = 2**63 - 1


def date_text(days: int) -> str:
    """A date from days since 1970-01-01; DuckDB's two infinities as such, years before 1 as `(BC)` as DuckDB does."""
    if abs(days) == _INFINITE_DATE:
        return "infinity" if days > 0 else "-infinity"
    year, month, day = _civil(days)
    if year > 0:
        return f"{year:04d}-{month:02d}-{day:02d}"
    return f"{1 - year:04d}-{month:02d}-{day:02d} (BC)"


def timestamp_text(count: int, unit: str, zone: str) -> str:
    """A timestamp from units since 1970-01-01T00:00:00."""
    if abs(count) == _INFINITE_TIMESTAMP:
        return "infinity" if count > 0 else "-infinity"
    days, rest = divmod(count, _DAY_SECONDS * _PER_SECOND[unit])
    date, _, era = date_text(days).partition(" ")
    return f"{date}T{time_text(rest, unit)}{zone}{' ' + era if era else ''}"


def time_text(count: int, unit: str) -> str:
    """A time of day from units since midnight; 24:00:00 is one."""
    seconds, fraction = divmod(count, _PER_SECOND[unit])
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}{_fraction(fraction, unit)}"


def interval_text(months: int, days: int, nanoseconds: int) -> str:
    """An ISO 8601 duration, `P1Y2M3DT4H5M6.7S`; its parts have signs of their own."""
    years, months = _split(months, 12)
    seconds, nanoseconds = _split(nanoseconds, 10**9)
    minutes, seconds = _split(seconds, 60)
    hours, minutes = _split(minutes, 60)
    date = "".join(f"{value}{unit}" for value, unit in ((years, "Y"), (months, "M"), (days, "D")) if value)
    time = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M")) if value)
    if seconds or nanoseconds:
        sign = "-" if seconds < 0 or nanoseconds < 0 else ""
        time += f"{sign}{abs(seconds)}{_fraction(abs(nanoseconds), 'ns')}S"
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"


def _split(value: int, size: int) -> tuple[int, int]:
    """Quotient and remainder, both with the value's sign."""
    quotient, remainder = divmod(abs(value), size)
    return (quotient, remainder) if value >= 0 else (-quotient, -remainder)


def _fraction(count: int, unit: str) -> str:
    digits = len(str(_PER_SECOND[unit])) - 1
    return f".{count:0{digits}d}".rstrip("0") if count else ""


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day in the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted_month + 2) // 5 + 1
