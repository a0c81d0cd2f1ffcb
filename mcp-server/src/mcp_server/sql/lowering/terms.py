"""Conditions on what is made of one column, as ranges of the column: `left(sk, 6) = 'ORDER#'`, `year(day) = 2024`.

Moments are made of dates, and of whole numbers that count milliseconds or seconds since 1970: `epoch_ms(created)`. They
are not made of texts, since DuckDB takes many texts for the same moment, `2024-1-2`, `2024/01/02` or ` 2024-01-02`,
which do not stand together in the order of texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.domain.schema import Column, TypeKind
from mcp_server.planning.predicate import AnyOf, Between, Comparison, IsNotNull, Operator, StartsWith
from mcp_server.planning.pushdown import following_prefix
from mcp_server.sql.constants import constant, instant
from mcp_server.sql.lowering.instants import read_instant
from mcp_server.sql.lowering.operands import OperandOf, Reading, all_of, any_of, is_literal, target
from mcp_server.sql.moments import DAYS, moment_of, period

_DATES = frozenset({exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ})
_ONE_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - DuckDB runs in UTC, and constants have no zone
_MICROSECOND = timedelta(microseconds=1)


def read_term(term: exp.Expr, operator: Operator, other: exp.Expr, column_of: OperandOf) -> Reading | None:
    """What `term operator other` says of the column in the term; None where it is no such term."""
    term = term.unnest()
    for shape in (_prefix_of, _year_of, _period_of, _count_of, _instant_of):
        found = shape(term, column_of)
        if found is not None:
            return found(operator, other)
    return None


_Comparing = Callable[[Operator, exp.Expr], Reading | None]


def _only(node: exp.Expr, *parts: str) -> bool:
    return all(part in parts for part, value in node.args.items() if value)


def _prefix_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """The first characters of a text: `left(c, n)`, `substring(c, 1, n)`."""
    match term:
        case exp.Left() if _only(term, "this", "expression"):
            length = constant(term.expression)
        case exp.Substring() if _only(term, "this", "start", "length") and constant(term.args["start"]) == 1:
            length = constant(term.args["length"]) if term.args.get("length") is not None else None
        case _:
            return None
    column = target(term.this, column_of)
    if column is None or column.type.kind is not TypeKind.VARCHAR or type(length) is not int or length < 1:
        return None

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        text = constant(other)
        return _prefix(column, length, operator, text) if isinstance(text, str) else None

    return comparing


def _prefix(column: Column, length: int, operator: Operator, text: str) -> Reading | None:
    """A text is at least its beginning, and below all that follows the texts that begin with it."""
    name = column.name
    if operator == "<>" or text == "":
        return Reading(IsNotNull(name), False)
    if operator == "=":
        if len(text) == length:
            return Reading(StartsWith(name, text), True)
        return Reading(Comparison(name, "=", text), True) if len(text) < length else Reading(IsNotNull(name), False)
    if operator in (">", ">="):
        return Reading(Comparison(name, ">=", text), False)
    after = following_prefix(text[:length])
    return Reading(Comparison(name, "<", after), False) if after is not None else None


@dataclass(frozen=True, slots=True)
class _Moments:
    """A column that holds moments: days, instants, or with `per_second` how often in a second it counts since 1970."""

    column: Column
    per_second: int | None

    def at(self, day: date) -> date | int:
        """The column's first value on that day."""
        if self.per_second is None:
            return day
        return self.per_second * (datetime.combine(day, time()) - _EPOCH) // timedelta(seconds=1)

    def before(self, day: date) -> date | int:
        """The column's last value before that day."""
        value = self.at(day)
        return value - _ONE_DAY if isinstance(value, date) else value - 1


def _moments(node: exp.Expr, column_of: OperandOf) -> _Moments | None:
    """The column whose moments an expression gives, all of them and in their order."""
    column = target(node, column_of)
    if column is not None:
        return _Moments(column, None) if column.type.kind in (TypeKind.DATE, TypeKind.TIMESTAMPTZ) else None
    node = node.unnest()
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.to.this in _DATES - {exp.DType.DATE}:
        return _moments(node.this, column_of)
    return _counted(node, column_of)


def _counted(node: exp.Expr, column_of: OperandOf) -> _Moments | None:
    """`epoch_ms(c)`, `make_timestamp_ms(c)` and `to_timestamp(c)` of whole numbers."""
    match node:
        case exp.UnixToTime() if _only(node, "this", "scale"):
            scale = constant(node.args["scale"]) if node.args.get("scale") is not None else 0
            per_second = 1 if scale == 0 else 1000 if scale == 3 else None
            operand = node.this
        case exp.Anonymous() if node.name.lower() == "make_timestamp_ms" and len(node.expressions) == 1:
            per_second, operand = 1000, node.expressions[0]
        case _:
            return None
    column = target(operand, column_of)
    if column is None or per_second is None or column.type.kind is not TypeKind.BIGINT:
        return None
    return _Moments(column, per_second)


def _count_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """The moment that a number counts to."""
    found = _moments(term, column_of)
    if found is None or found.per_second is None:
        return None
    name, per_second = found.column.name, found.per_second

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        moment = _moment(other)
        if moment is None:
            return None
        value, rest = divmod((moment - _EPOCH) // _MICROSECOND * per_second, 1_000_000)
        if rest == 0:
            return Reading(Comparison(name, operator, value), True)
        match operator:  # the moment lies between two counts
            case "<" | "<=":
                return Reading(Comparison(name, "<=", value), True)
            case ">" | ">=":
                return Reading(Comparison(name, ">", value), True)
        return None

    return comparing


def _instant_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """A column of instants itself."""
    column = target(term, column_of)
    if column is None or column.type.kind is not TypeKind.TIMESTAMPTZ:
        return None

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        found = constant(other)
        moment = instant(found) if isinstance(found, str) and is_literal(other) else _moment(other)
        return read_instant(column, operator, moment) if moment is not None else None

    return comparing


def _year_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """The year of a date, as a number."""
    match term:
        case exp.Year() if _only(term, "this"):
            operand = term.this
        case exp.Extract() if _only(term, "this", "expression") and term.name.upper() == "YEAR":
            operand = term.expression
        case exp.Anonymous() if term.name.lower() in ("date_part", "datepart") and len(term.expressions) == 2:
            if constant(term.expressions[0]) != "year":
                return None
            operand = term.expressions[1]
        case _:
            return None
    moments = _moments(operand, column_of)
    if moments is None:
        return None

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        year = constant(other)
        if type(year) is not int or not 1 <= year < date.max.year:
            return None
        return _within(moments, operator, date(year, 1, 1), date(year + 1, 1, 1), aligned=True)

    return comparing


def _period_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """A moment cut down to the beginning of its year, quarter, month, week or day."""
    if isinstance(term, exp.Cast) and not isinstance(term, exp.TryCast) and term.to.this in _DATES:
        inner = term.this.unnest()
        days = _of_more_than_days(inner, column_of) if term.to.this == exp.DType.DATE else None
        return _period_of(inner, column_of) if days is None else _in_period(days, "DAY")
    if not isinstance(term, exp.TimestampTrunc | exp.DateTrunc) or not _only(term, "this", "unit"):
        return None
    moments = _moments(term.this, column_of)
    unit = term.args["unit"].name.upper()
    if moments is None or unit not in DAYS:
        return None
    return _in_period(moments, unit)


def _of_more_than_days(node: exp.Expr, column_of: OperandOf) -> _Moments | None:
    """The moments that an expression gives, if there are several on a day."""
    column = target(node, column_of)
    if column is not None:
        return _Moments(column, None) if column.type.kind is TypeKind.TIMESTAMPTZ else None
    return _counted(node, column_of)


def _in_period(moments: _Moments, unit: str) -> _Comparing:
    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        moment = _moment(other)
        if moment is None:
            return None
        try:
            start, after = period(moment.date(), unit)
        except (OverflowError, ValueError):
            return None
        return _within(moments, operator, start, after, aligned=moment == datetime.combine(start, time()))

    return comparing


def _moment(node: exp.Expr) -> datetime | None:
    found = constant(node)
    return moment_of(iso_date(found) if is_literal(node) else found)


def _within(moments: _Moments, operator: Operator, start: date, after: date, *, aligned: bool) -> Reading | None:
    """A comparison with a moment in the period [start, after), `aligned` when that moment is its start.

    What is compared is the start of the period in which the column's moment lies.
    """
    if moments.column.type.kind is TypeKind.TIMESTAMPTZ:
        return _instants_within(moments.column, operator, start, after, aligned=aligned)
    name, first, next_ = moments.column.name, moments.at(start), moments.at(after)
    before, later = Comparison(name, "<", first), Comparison(name, ">=", next_)
    match operator:
        case "=":
            return Reading(Between(name, first, moments.before(after)), aligned)
        case "<>":
            return Reading(AnyOf((before, later)) if aligned else IsNotNull(name), aligned)
        case "<":
            return Reading(before if aligned else Comparison(name, "<", next_), True)
        case "<=":
            return Reading(Comparison(name, "<", next_), True)
        case ">":
            return Reading(later, True)
        case ">=":
            return Reading(Comparison(name, ">=", first) if aligned else later, True)


def _instants_within(column: Column, operator: Operator, start: date, after: date, *, aligned: bool) -> Reading | None:
    def read(operator: Operator, day: date) -> Reading:
        return read_instant(column, operator, datetime.combine(day, time()))

    match operator:
        case "=":
            within = all_of([read(">=", start), read("<", after)])
            return Reading(within.predicate, within.faithful and aligned) if within is not None else None
        case "<>":
            return any_of([read("<", start), read(">=", after)]) if aligned else Reading(IsNotNull(column.name), False)
        case "<":
            return read("<", start if aligned else after)
        case "<=":
            return read("<", after)
        case ">":
            return read(">=", after)
        case ">=":
            return read(">=", start if aligned else after)
