"""Evaluates constant expressions the way DuckDB does, as far as planning needs it.

What is not certain to give DuckDB's value is NOT_CONSTANT: a condition is then merely not pushed down.
"""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from typing import Final

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.sql.moments import formatted, milliseconds, moment_of, truncated, written

_EXACT = Context(prec=76, traps=[InvalidOperation])
_INTEGER = re.compile(r"-?\d+")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)(Z|[+-](?:0[0-9]|1[0-4])(?::[0-5][0-9])?)?)?"
)
_TIMESTAMP = exp.DataType.build("TIMESTAMP")


class _NotConstant(Enum):
    NOT_CONSTANT = "not constant"


NOT_CONSTANT: Final = _NotConstant.NOT_CONSTANT


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of months, days and microseconds."""

    months: int
    days: int
    micros: int = 0


Constant = str | int | Decimal | float | bool | bytes | date | datetime | Span | None | _NotConstant
"""A value of SQL, None for NULL."""

_KNOWN_PARTS = frozenset({"this", "expression", "is_string", "to", "unit", "safe", "format", "scale"})
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_DAYS = {"DAY": 1, "WEEK": 7}
_MICROS = {"HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1_000}


def constant(node: exp.Expr) -> Constant:
    """The value of an expression without columns, or NOT_CONSTANT."""
    if isinstance(node, exp.Concat):
        return _joined(node.expressions)
    if any(value for part, value in node.args.items() if part not in _KNOWN_PARTS):
        return NOT_CONSTANT
    match node:
        case exp.Paren():
            return constant(node.this)
        case exp.Null():
            return None
        case exp.Boolean():
            return bool(node.this)
        case exp.Literal():
            return str(node.this) if node.is_string else _number(str(node.this))
        case exp.Neg():
            value = constant(node.this)
            return -value if isinstance(value, int | Decimal | float) and not isinstance(value, bool) else NOT_CONSTANT
        case exp.Cast():
            return _cast(constant(node.this), node.to, zoned=_has_zone(node.this))
        case exp.Interval():
            return _interval(node)
        case exp.DPipe():
            return _concatenated(constant(node.this), constant(node.expression))
        case exp.Add() | exp.Sub() | exp.Mul():
            return _arithmetic(node, constant(node.this), constant(node.expression))
    return _of_moment(node)


def _of_moment(node: exp.Expr) -> Constant:
    """What functions make of a date or a moment."""
    match node:
        case exp.TimestampTrunc() | exp.DateTrunc():
            return _or_not_constant(truncated(constant(node.this), node.args["unit"].name.upper()))
        case exp.TimeToStr():
            return _or_not_constant(formatted(constant(node.this), constant(node.args["format"])))
        case exp.UnixToTime() if node.args.get("scale") == exp.UnixToTime.MILLIS:
            return _or_not_constant(milliseconds(constant(node.this)))
    return NOT_CONSTANT


def _number(text: str) -> int | Decimal | float | _NotConstant:
    try:
        if text.isdecimal():
            return int(text)
        if "e" in text.lower():
            return float(text)
        return Decimal(text)
    except (ValueError, InvalidOperation):
        return NOT_CONSTANT


def _has_zone(node: exp.Expr) -> bool:
    """Whether a moment is a TIMESTAMPTZ, which is written with its zone."""
    match node:
        case exp.Paren() | exp.TimestampTrunc():
            return _has_zone(node.this)
        case exp.Add() | exp.Sub():
            return _has_zone(node.this) or _has_zone(node.expression)
    return isinstance(node, exp.Cast) and node.to.this == exp.DType.TIMESTAMPTZ


def _cast(value: Constant, to: exp.DataType, *, zoned: bool = False) -> Constant:
    if value is None:
        return None
    if to.this == exp.DType.DATE:
        if isinstance(value, datetime):
            return value.date()
        return _or_not_constant(
            iso_date(value) if isinstance(value, str) else value if isinstance(value, date) else None
        )
    if to.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ):
        if isinstance(value, str):
            return _or_not_constant(instant(value, zoned=False))
        return _or_not_constant(moment_of(value))
    if to.this == exp.DType.TIMESTAMPTZ and not to.expressions:
        return _or_not_constant(instant(value)) if isinstance(value, str) else _cast(value, _TIMESTAMP)
    if to.this in (exp.DType.VARCHAR, exp.DType.TEXT) and not to.expressions:
        return value if isinstance(value, str) else _or_not_constant(written(value, zoned=zoned))
    if to.this in (exp.DType.INT, exp.DType.BIGINT, exp.DType.SMALLINT, exp.DType.TINYINT):
        if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) <= 18:
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else NOT_CONSTANT
    if to.this == exp.DType.BOOLEAN:
        return value if isinstance(value, bool) else NOT_CONSTANT
    return NOT_CONSTANT


def _or_not_constant(value: str | int | date | datetime | None) -> Constant:
    return NOT_CONSTANT if value is None else value


def instant(text: str, *, zoned: bool = True) -> datetime | None:
    """The moment of UTC that DuckDB reads in a text, without a zone; texts with one only where `zoned`."""
    match = _MOMENT.fullmatch(text)
    if match is None or (match[3] is not None and not zoned):
        return None
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00:00'}{match[3] or 'Z'}")
        return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _interval(node: exp.Interval) -> Constant:
    amount = constant(node.this) if node.this is not None else NOT_CONSTANT
    unit = node.args.get("unit")
    if isinstance(amount, str) and _INTEGER.fullmatch(amount):
        amount = int(amount)
    if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) > 10**6 or unit is None:
        return NOT_CONSTANT
    name = unit.name.upper().removesuffix("S")
    if name in _MONTHS:
        return Span(amount * _MONTHS[name], 0)
    if name in _DAYS:
        return Span(0, amount * _DAYS[name])
    if name in _MICROS:
        return Span(0, 0, amount * _MICROS[name])
    return NOT_CONSTANT


def _concatenated(left: Constant, right: Constant) -> Constant:
    return left + right if isinstance(left, str) and isinstance(right, str) else NOT_CONSTANT


def _joined(parts: Sequence[exp.Expr]) -> Constant:
    """What `concat` makes of texts; it leaves NULLs out."""
    found = [constant(part) for part in parts]
    texts = [part for part in found if isinstance(part, str)]
    return "".join(texts) if len(texts) + found.count(None) == len(found) and texts else NOT_CONSTANT


def _arithmetic(node: exp.Expr, left: Constant, right: Constant) -> Constant:
    subtract = isinstance(node, exp.Sub)
    if isinstance(left, date) and isinstance(right, Span) and not isinstance(node, exp.Mul):
        return _shifted(left, Span(-right.months, -right.days, -right.micros) if subtract else right)
    if isinstance(left, Span) and isinstance(right, date) and isinstance(node, exp.Add):
        return _shifted(right, left)
    if type(left) is date and type(right) is int and not isinstance(node, exp.Mul):
        return _days_later(left, -right if subtract else right)
    exact = (int, Decimal)
    if type(left) in exact and type(right) in exact:
        return _exact(node, left, right)  # type: ignore[arg-type]  # both are int or Decimal, by the line above
    return NOT_CONSTANT


def _exact(node: exp.Expr, left: int | Decimal, right: int | Decimal) -> Constant:
    """Sums and products that stay well inside of DuckDB's exact types; beyond, DuckDB may overflow or round."""
    first, second = Decimal(left), Decimal(right)
    if isinstance(node, exp.Add):
        result = _EXACT.add(first, second)
    elif isinstance(node, exp.Sub):
        result = _EXACT.subtract(first, second)
    else:
        result = _EXACT.multiply(first, second)
    if len(result.as_tuple().digits) > 17:
        return NOT_CONSTANT
    return int(result) if isinstance(left, int) and isinstance(right, int) else result


def _shifted(start: date, span: Span) -> Constant:
    """A date plus an interval is a timestamp; days beyond the month's end become its last day."""
    months = start.year * 12 + start.month - 1 + span.months
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        return NOT_CONSTANT
    day = min(start.day, calendar.monthrange(year, month)[1])
    moment = moment_of(start)
    try:
        later = timedelta(days=span.days, microseconds=span.micros)
        return moment.replace(year=year, month=month, day=day) + later if moment is not None else NOT_CONSTANT
    except OverflowError:
        return NOT_CONSTANT


def _days_later(start: date, days: int) -> Constant:
    try:
        return start + timedelta(days=days)
    except OverflowError:
        return NOT_CONSTANT
