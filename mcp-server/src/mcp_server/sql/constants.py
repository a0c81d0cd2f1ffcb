"""Evaluates constant expressions the way DuckDB does, as far as planning needs it.

What is not certain to give DuckDB's value is NOT_CONSTANT: a condition is then merely not pushed down.
"""

import calendar
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.sql.constant_calls import CALLS, LARGEST_WRITTEN, Call
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
HOLDS: dict[type[exp.Expr], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
"""The comparisons, with what they are of two values of one kind."""
_CHOSEN = (str, int, bool, date)
"""Types of values that stay as they are beside others of their type, where one of them is chosen."""
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_DAYS = {"DAY": 1, "WEEK": 7}
_MICROS = {"HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1_000}


def constant(node: exp.Expr) -> Constant:
    """The value of an expression without columns, or NOT_CONSTANT."""
    kind = type(node)
    if kind is exp.Column:  # which most are that are asked about
        return NOT_CONSTANT
    if kind is exp.Literal:
        return str(node.this) if node.is_string else _number(str(node.this))
    call = CALLS.get(kind)
    if call is not None:
        return _called(call, node)
    read = _READERS.get(kind)
    if read is not None:
        return read(node)
    if any(value for part, value in node.args.items() if part not in _KNOWN_PARTS):
        return NOT_CONSTANT
    match node:
        case exp.Paren():
            return constant(node.this)
        case exp.Null():
            return None
        case exp.Boolean():
            return bool(node.this)
        case exp.Neg():
            value = constant(node.this)
            return -value if isinstance(value, int | Decimal | float) and not isinstance(value, bool) else NOT_CONSTANT
        case exp.Cast():
            return _cast(constant(node.this), node.to, zoned=_has_zone(node.this))
        case exp.Interval():
            return _interval(node)
    return _of_moment(node)


def _called(call: Call, node: exp.Expr) -> Constant:
    """What a function that is NULL of NULL makes of its arguments."""
    if any(value for part, value in node.args.items() if part not in call.arguments and part not in call.options):
        return NOT_CONSTANT
    parts = [part for name in call.arguments if (part := node.args.get(name)) is not None]
    arguments = [constant(one) for part in parts for one in (part if isinstance(part, list) else [part])]
    if NOT_CONSTANT in arguments:
        return NOT_CONSTANT
    if None in arguments:
        return None
    return _or_not_constant(call.result(*arguments, **{name: node.args.get(name) for name in call.options}))


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
        return _as_text(value, zoned=zoned)
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


def _text(node: exp.Expr) -> str | _NotConstant | None:
    """A constant as the text that joins others, None for NULL."""
    return _as_text(constant(node), zoned=_has_zone(node))


def _as_text(value: Constant, *, zoned: bool) -> str | _NotConstant | None:
    """A value as its cast to VARCHAR writes it. Of decimal numbers that depends on how the statement writes them."""
    match value:
        case str() | None:
            return value
        case bool():
            return "true" if value else "false"
        case int() if abs(value) < LARGEST_WRITTEN:
            return str(value)
    text = written(value, zoned=zoned)
    return NOT_CONSTANT if text is None else text


def _concatenation(node: exp.Expr) -> Constant:
    left, right = _text(node.this), _text(node.expression)
    if left is NOT_CONSTANT or right is NOT_CONSTANT:
        return NOT_CONSTANT
    return left + right if left is not None and right is not None else None


def _concat(node: exp.Expr) -> Constant:
    return _joined("", [_text(part) for part in node.expressions])


def _concat_ws(node: exp.Expr) -> Constant:
    separator, *parts = (_text(part) for part in node.expressions)
    return _joined(separator, parts) if isinstance(separator, str) else NOT_CONSTANT


def _joined(separator: str, parts: Sequence[str | _NotConstant | None]) -> Constant:
    """What `concat` and `concat_ws` make of texts; they leave NULLs out."""
    texts = [part for part in parts if isinstance(part, str)]
    return separator.join(texts) if len(texts) + parts.count(None) == len(parts) and texts else NOT_CONSTANT


def _case(node: exp.Expr) -> Constant:
    return _branch(node.this, node.args["ifs"], node.args.get("default"))


def _if(node: exp.Expr) -> Constant:
    return _branch(None, [node], node.args.get("false"))


def _branch(operand: exp.Expr | None, branches: Sequence[exp.Expr], otherwise: exp.Expr | None) -> Constant:
    """The value of the first branch whose condition holds, or that is for the operand's value."""
    given = _of_one_type([*(branch.args["true"] for branch in branches), otherwise or exp.Null()])
    if given is None:
        return NOT_CONSTANT
    for branch, value in zip(branches, given, strict=False):
        condition = constant(branch.this)
        holds = condition if operand is None else _holds(exp.EQ, constant(operand), condition)
        if holds is not None and not isinstance(holds, bool):
            return NOT_CONSTANT
        if holds:
            return value
    return given[-1]


def _coalesce(node: exp.Expr) -> Constant:
    values = _of_one_type([node.this, *node.expressions])
    return NOT_CONSTANT if values is None else next((value for value in values if value is not None), None)


def _nullif(node: exp.Expr) -> Constant:
    values = _of_one_type([node.this, node.expression])
    equal = _holds(exp.EQ, *values) if values is not None else NOT_CONSTANT
    return NOT_CONSTANT if values is None or equal is NOT_CONSTANT else None if equal else values[0]


def _comparison(node: exp.Expr) -> Constant:
    return _holds(type(node), constant(node.this), constant(node.expression))


def _of_one_type(parts: Sequence[exp.Expr]) -> Sequence[Constant] | None:
    """The values of which DuckDB chooses one without converting it; None where that is not certain.

    A NULL has any type only where it is written so.
    """
    values = [constant(part) for part in parts]
    types = {type(value) for part, value in zip(parts, values, strict=True) if not isinstance(part.unnest(), exp.Null)}
    return values if len(types) <= 1 and types <= {*_CHOSEN} else None


def _holds(comparison: type[exp.Expr], left: Constant, right: Constant) -> bool | _NotConstant | None:
    """Whether a comparison of two texts, or of two exact numbers, is true."""
    if (left is None and right is not NOT_CONSTANT) or (right is None and left is not NOT_CONSTANT):
        return None
    exact = {type(left), type(right)}
    return HOLDS[comparison](left, right) if exact == {str} or exact <= {int, Decimal} else NOT_CONSTANT


def _arithmetic(node: exp.Expr) -> Constant:
    left, right = constant(node.this), constant(node.expression)
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


_READERS: dict[type[exp.Expr], Callable[[exp.Expr], Constant]] = {
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul), _arithmetic),
    exp.DPipe: _concatenation,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    **dict.fromkeys(HOLDS, _comparison),
}
