"""Conditions on what is made of one column, as ranges of the column: `left(sk, 6) = 'ORDER#'`, `year(day) = 2024`."""

import calendar
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.domain.schema import Column, TypeKind
from mcp_server.planning.predicate import AnyOf, Between, Comparison, IsNotNull, Operator, StartsWith
from mcp_server.planning.pushdown import following_prefix
from mcp_server.sql.constants import NOT_CONSTANT, constant
from mcp_server.sql.lowering.operands import OperandOf, Reading, target

_DATES = frozenset({exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ})
_ONE_DAY = timedelta(days=1)
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


def read_term(term: exp.Expr, operator: Operator, other: exp.Expr, column_of: OperandOf) -> Reading | None:
    """What `term operator other` says of the column in the term; None where it is no such term."""
    term = term.unnest()
    for shape in (_prefix_of, _year_of, _period_of):
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
    column = _date_column(operand, column_of)
    if column is None:
        return None

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        year = constant(other)
        if type(year) is not int or not 1 <= year < date.max.year:
            return None
        return _within(column, operator, date(year, 1, 1), date(year + 1, 1, 1), aligned=True)

    return comparing


def _period_of(term: exp.Expr, column_of: OperandOf) -> _Comparing | None:
    """A date cut down to the beginning of its year, quarter, month, week or day."""
    if isinstance(term, exp.Cast) and not isinstance(term, exp.TryCast) and term.to.this in _DATES:
        return _period_of(term.this.unnest(), column_of)
    if not isinstance(term, exp.TimestampTrunc | exp.DateTrunc) or not _only(term, "this", "unit"):
        return None
    column = _date_column(term.this, column_of)
    unit = term.args["unit"].name.upper()
    if column is None or unit not in ("DAY", "WEEK", *_MONTHS):
        return None

    def comparing(operator: Operator, other: exp.Expr) -> Reading | None:
        moment = _moment(other)
        if moment is None:
            return None
        try:
            start, after = _period(moment.date(), unit)
        except (OverflowError, ValueError):
            return None
        return _within(column, operator, start, after, aligned=moment == datetime.combine(start, time()))

    return comparing


def _date_column(node: exp.Expr, column_of: OperandOf) -> Column | None:
    column = target(node, column_of)
    return column if column is not None and column.type.kind is TypeKind.DATE else None


def _moment(node: exp.Expr) -> datetime | None:
    found = constant(node)
    if found is NOT_CONSTANT:
        return None
    if isinstance(found, str):
        found = iso_date(found)
    if isinstance(found, datetime):
        return found
    return datetime.combine(found, time()) if isinstance(found, date) else None


def _period(day: date, unit: str) -> tuple[date, date]:
    """The first day of the period in which a day lies, and that of the next period."""
    if unit == "DAY":
        return day, day + _ONE_DAY
    if unit == "WEEK":
        start = day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7)
    months = _MONTHS[unit]
    start = date(day.year, (day.month - 1) // months * months + 1, 1)
    last = start.month + months - 1
    return start, date(day.year, last, calendar.monthrange(day.year, last)[1]) + _ONE_DAY


def _within(column: Column, operator: Operator, start: date, after: date, *, aligned: bool) -> Reading | None:
    """A comparison with a moment in the period [start, after), `aligned` when that moment is its start.

    What is compared is the start of the period in which the column's date lies.
    """
    name = column.name
    before, later = Comparison(name, "<", start), Comparison(name, ">=", after)
    match operator:
        case "=":
            return Reading(Between(name, start, after - _ONE_DAY), aligned)
        case "<>":
            return Reading(AnyOf((before, later)) if aligned else IsNotNull(name), aligned)
        case "<":
            return Reading(before if aligned else Comparison(name, "<", after), True)
        case "<=":
            return Reading(Comparison(name, "<", after), True)
        case ">":
            return Reading(later, True)
        case ">=":
            return Reading(Comparison(name, ">=", start) if aligned else later, True)
