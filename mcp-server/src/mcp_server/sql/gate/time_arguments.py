"""Refuses calls that compute with times as other databases write them, which the parser takes for something else.

BigQuery's `date_trunc(placed, MONTH)` is parsed as the unit `placed` of the column `MONTH`.
"""

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.functions import (
    ArgumentsOfAnotherDialect,
    DateWithModifiers,
    TruncatedTime,
    UnknownTimeUnit,
)
from mcp_server.sql.gate.checks import Check
from mcp_server.sql.positions import position_of

_WITH_UNIT = (exp.TimestampTrunc, exp.DateTrunc, exp.DateDiff, exp.TimestampDiff, exp.Interval)
_UNITS = frozenset(
    word
    for words in (
        "millennium millennia millenniums mil mils century centuries cent c decade decades dec decs",
        "year years yr yrs y quarter quarters q month months mon mons week weeks w isoyear isoyears",
        "day days d dayofmonth dayofweek weekday dow isodow dayofyear doy yearweek julian era epoch",
        "hour hours hr hrs h minute minutes min mins m second seconds sec secs s",
        "millisecond milliseconds ms msec msecs microsecond microseconds us usec usecs nanosecond nanoseconds ns",
        "timezone timezone_hour timezone_minute",
    )
    for word in words.split()
)
"""DuckDB's names of units, `DatePartSpecifier`."""
_ARGUMENTS = {"date_add": 2, "date_sub": 3, "decode": 1, "to_timestamp": 1}


def _unit(node: exp.Expr, text: str) -> None:
    unit = node.args.get("unit")
    if isinstance(unit, exp.Var) and unit.name.lower() not in _UNITS:
        raise Failure(UnknownTimeUnit(unit.name.lower()), position=position_of(text, node))


def _number_of_arguments(node: exp.Expr, text: str) -> None:
    wanted = _ARGUMENTS.get(node.name.lower())
    if wanted is not None and len(node.expressions) != wanted:
        raise Failure(ArgumentsOfAnotherDialect(node.name.lower(), wanted), position=position_of(text, node))


def _truncated(node: exp.Expr, text: str) -> None:
    digits = node.args.get("decimals")
    if isinstance(digits, exp.Literal) and digits.is_string:
        raise Failure(TruncatedTime(), position=position_of(text, node))


def _modifiers(node: exp.Expr, text: str) -> None:
    if node.args.get("zone") is not None:
        # Of another code: other dialects would leave SQLite's modifiers out, `date(x, '-30 days')`.
        raise Failure(DateWithModifiers(), position=position_of(text, node))


TIME_CHECKS: tuple[Check, ...] = (
    *((kind, _unit) for kind in _WITH_UNIT),
    (exp.Anonymous, _number_of_arguments),
    (exp.Date, _modifiers),
    (exp.Trunc, _truncated),
)
"""What refuses units that do not exist, and calls that have the arguments of another database's function."""
