"""Conditions on columns of instants, as conditions on what their items hold: exact of numbers, of texts a day wider."""

from datetime import date, datetime, timedelta

from mcp_server.domain.instants import EPOCH, EpochUnit, first_number_of
from mcp_server.domain.schema import Column
from mcp_server.planning.predicate import AllOf, AnyOf, Comparison, IsNotNull, Operator, Predicate
from mcp_server.sql.lowering.operands import Reading

_ONE_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def read_instant(column: Column, operator: Operator, moment: datetime) -> Reading:
    """What `column operator moment` says of the items; the moment is one of UTC, without a zone."""
    if column.type.unit is None:
        return Reading(_of_texts(column.name, operator, moment.date()), False)
    instant = (moment - EPOCH.replace(tzinfo=None)) // _MICROSECOND
    return Reading(_of_numbers(column.name, operator, instant, column.type.unit), True)


def _of_numbers(name: str, operator: Operator, instant: int, unit: EpochUnit) -> Predicate:
    """Numbers of one microsecond are one instant, so each comparison is one with the beginning of a microsecond."""
    at, after = (first_number_of(each, unit) for each in (instant, instant + 1))
    match operator:
        case "=":
            return AllOf((Comparison(name, ">=", at), Comparison(name, "<", after)))
        case "<>":
            return AnyOf((Comparison(name, "<", at), Comparison(name, ">=", after)))
        case "<" | ">=":
            return Comparison(name, operator, at)
        case "<=":
            return Comparison(name, "<", after)
        case ">":
            return Comparison(name, ">=", after)


def _of_texts(name: str, operator: Operator, day: date) -> Predicate:
    """A text begins with its day where it was written, which is at most one away from that of UTC.

    So texts stand in the order of those days, whatever follows them, as far as they are instants at all.
    """
    try:
        first = Comparison(name, ">=", (day - _ONE_DAY).isoformat())
        last = Comparison(name, "<", (day + 2 * _ONE_DAY).isoformat())
    except OverflowError:  # at the ends of the calendar
        return IsNotNull(name)
    match operator:
        case "=":
            return AllOf((first, last))
        case "<>":
            return IsNotNull(name)
        case "<" | "<=":
            return last
        case ">" | ">=":
            return first
