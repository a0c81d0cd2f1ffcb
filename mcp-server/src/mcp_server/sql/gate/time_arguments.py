"""Refuses calls that compute with times as other databases write them, which the parser takes for something else.

BigQuery's `date_trunc(placed, MONTH)` is parsed as the unit `placed` of the column `MONTH`.
"""

from sqlglot import exp

from mcp_server.domain.failures import Failure, FailureCode
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
_ARGUMENTS = {"date_add": 2, "date_sub": 3}
_ADVICE = "Write date_trunc('month', x), date_diff('day', start, end), x + INTERVAL 3 DAY, x - INTERVAL 3 DAY."


def check_time_arguments(node: exp.Expr, text: str) -> None:
    """Raises Failure for units that do not exist, and calls of date, date_add and date_sub of another database."""
    if isinstance(node, _WITH_UNIT):
        unit = node.args.get("unit")
        if not isinstance(unit, exp.Var) or unit.name.lower() in _UNITS:
            return
        message = f'There is no unit of time "{unit.name.lower()}".'
    elif isinstance(node, exp.Anonymous):
        wanted = _ARGUMENTS.get(node.name.lower())
        if wanted is None or len(node.expressions) == wanted:
            return
        message = f"{node.name.lower()} has {wanted} arguments."
    elif isinstance(node, exp.Date) and node.args.get("zone") is not None:
        # Of another code: other dialects would leave SQLite's modifiers out, `date(x, '-30 days')`.
        raise Failure(FailureCode.EVALUATION_ERROR, "date has one argument.", _ADVICE, position=position_of(text, node))
    else:
        return
    raise Failure(FailureCode.SYNTAX_ERROR, message, _ADVICE, position=position_of(text, node))
