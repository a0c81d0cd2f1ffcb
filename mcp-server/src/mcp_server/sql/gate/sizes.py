"""Bounds on functions whose result's size only their arguments decide.

DuckDB's memory limit does not stop these and an interrupt does not end them: `lpad('x', 2000000000, 'y')` takes 20 GB.
"""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.functions import Growing, UnboundedSize
from mcp_server.sql.constants import NOT_CONSTANT, Span, constant
from mcp_server.sql.gate.checks import Check
from mcp_server.sql.moments import moment_of
from mcp_server.sql.positions import position_of
from mcp_server.sql.time_words import asks_for_time, put_instant
from mcp_server.sql.trees import copied, nodes

MAX_STRING = 10_000
"""Characters that `repeat`, `lpad` and `rpad` may make, and times that `repeat` may repeat."""

MAX_SEQUENCE = 1_000_000
"""Elements that `range` and `generate_series` may make."""

_INSTANTS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
"""Between such ends nothing that is asked for the time makes a longer sequence than at one of them: at the second, what
has gone by of a day, year or decade is all of it."""
_FORMAT_FIELD = re.compile(r"\{\{|\{(?P<field>[^{}]*)(?P<by_argument>\{)?")
_PRINTF_FIELD = re.compile(r"%%|%(?P<field>[^A-Za-z%*]*)(?P<by_argument>\*)?")
"""The fields of format strings, up to the number that an argument gives, from the left: `{{` and `%%` are none."""
_REPEATABLE = (exp.Column, exp.Identifier, exp.Literal, exp.Neg, exp.Paren, exp.Add, exp.Sub, exp.Mul)


def _repeat(node: exp.Expr, text: str) -> None:
    unit, times = constant(node.this), constant(node.args["times"])
    length = len(unit) if isinstance(unit, str) else 1
    nested = node.this.find(exp.Repeat, exp.Pad) is not None
    if not isinstance(times, int) or times * length > MAX_STRING or nested:
        raise _unbounded(node, text, Growing.REPEAT, MAX_STRING)


def _pad(node: exp.Expr, text: str) -> None:
    width = constant(node.expression)
    if not isinstance(width, int) or width > MAX_STRING:
        raise _unbounded(node, text, Growing.PAD, MAX_STRING)


def _format(node: exp.Expr, text: str) -> None:
    _template(node, node.this, _FORMAT_FIELD, text)


def _printf(node: exp.Expr, text: str) -> None:
    if node.name.lower() == "printf":
        _template(node, next(iter(node.expressions), None), _PRINTF_FIELD, text)


def _template(node: exp.Expr, first: exp.Expr | None, field: re.Pattern[str], text: str) -> None:
    template = constant(first) if first is not None else ""
    if not isinstance(template, str) or _widths(template, field) > MAX_STRING:
        raise _unbounded(node, text, Growing.FORMAT, MAX_STRING)


def _sequence(node: exp.Expr, text: str) -> None:
    count = _elements(node)
    if count > MAX_SEQUENCE if count is not None else not _can_be_bounded(node):
        raise _unbounded(node, text, Growing.SEQUENCE, MAX_SEQUENCE)


def _unbounded(node: exp.Expr, text: str, function: Growing, most: int) -> Failure:
    return Failure(UnboundedSize(function, most), position=position_of(text, node))


SIZE_CHECKS: tuple[Check, ...] = (
    (exp.Repeat, _repeat),
    (exp.Pad, _pad),
    (exp.Format, _format),
    (exp.Anonymous, _printf),
    (exp.GenerateSeries, _sequence),
)
"""What refuses calls whose result is not bounded by constants, or whose bound is too large."""


def bound_sequences(found: Iterable[exp.Expr]) -> bool:
    """Makes each sequence whose length only its rows decide fail where it would be too long; whether there is one.

    `found` are all nodes of a statement, which must have passed SIZE_CHECKS.
    """
    changed = False
    for node in found:
        if isinstance(node, exp.GenerateSeries) and _elements(node) is None:
            start, end, step = node.args.get("start"), node.args["end"], node.args.get("step")
            length: exp.Expr = exp.Sub(
                this=exp.paren(end), expression=exp.paren(start) if start else exp.Literal.number(0)
            )
            if step is not None:
                length = exp.IntDiv(this=exp.paren(length), expression=step.copy())
            too_long = exp.GT(this=length, expression=exp.Literal.number(MAX_SEQUENCE))
            error = exp.Anonymous(
                this="error", expressions=[exp.Literal.string(f"A sequence may have {MAX_SEQUENCE:,} elements.")]
            )
            node.set("end", exp.Case(ifs=[exp.If(this=too_long, true=error)], default=end.copy()))
            changed = True
    return changed


def _can_be_bounded(node: exp.Expr) -> bool:
    """Whether start, end and step are such that their difference can be computed beforehand, and twice."""
    step = node.args.get("step")
    parts = [part for part in (node.args.get("start"), node.args.get("end")) if part is not None]
    whole_step = step is None or (isinstance(value := constant(step), int) and value != 0)
    return whole_step and all(isinstance(inner, _REPEATABLE) for part in parts for inner in part.walk())


def _widths(template: str, field: re.Pattern[str]) -> float:
    """The numbers in the fields of a format string, added up; infinite where an argument gives one."""
    fields = [found for found in field.finditer(template) if found["field"] is not None]
    if any(found["by_argument"] for found in fields):
        return math.inf
    return sum(int(digits) for found in fields for digits in re.findall(r"[0-9]{1,12}", found["field"]))


def _elements(node: exp.Expr) -> float | None:
    """How many elements a sequence has, or may have whenever it is asked for; None where that is not constant."""
    if not any(asks_for_time(part) for part in nodes(node)):
        return _count(node)
    most = 0.0
    for instant in _INSTANTS:
        sequence = copied(node)
        put_instant(sequence, instant)
        count = _count(sequence)
        if count is None:
            return None
        most = max(most, count)
    return most


def _count(node: exp.Expr) -> float | None:
    start, end, step = (
        constant(part) if part is not None else default
        for part, default in (
            (node.args.get("start"), 0),
            (node.args.get("end"), NOT_CONSTANT),
            (node.args.get("step"), 1),
        )
    )
    if isinstance(start, int) and isinstance(end, int) and isinstance(step, int) and step != 0:
        return abs(end - start) / abs(step) + 1
    first, last = moment_of(start), moment_of(end)
    if first is not None and last is not None and isinstance(step, Span):
        shortest = abs(timedelta(days=step.days + 28 * step.months, microseconds=step.micros))
        return abs(last - first) / shortest + 1 if shortest else None
    return None
