"""Bounds on functions whose result's size only their arguments decide.

DuckDB's memory limit does not stop these and an interrupt does not end them: `lpad('x', 2000000000, 'y')` takes 20 GB.
"""

from datetime import date, timedelta

from sqlglot import exp

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.sql.constants import NOT_CONSTANT, Span, constant
from mcp_server.sql.positions import position_of

MAX_STRING = 10_000
"""Characters that `repeat`, `lpad` and `rpad` may make, and times that `repeat` may repeat."""

MAX_SEQUENCE = 1_000_000
"""Elements that `range` and `generate_series` may make."""


def check_size(node: exp.Expr, text: str) -> None:
    """Refuses a call whose result is not bounded by constants, or whose bound is too large."""
    if isinstance(node, exp.Repeat):
        unit = constant(node.this)
        times = constant(node.args["times"])
        length = len(unit) if isinstance(unit, str) else 1
        nested = node.this.find(exp.Repeat, exp.Pad) is not None
        allowed = isinstance(times, int) and times * length <= MAX_STRING and not nested
        advice = f"Give the number of repetitions as a constant; the result may have {MAX_STRING} characters."
    elif isinstance(node, exp.Pad):
        width = constant(node.expression)
        allowed = isinstance(width, int) and width <= MAX_STRING
        advice = f"Give the length as a constant of at most {MAX_STRING}."
    elif isinstance(node, exp.GenerateSeries):
        count = _elements(node)
        allowed = count is not None and count <= MAX_SEQUENCE
        advice = f"Give start, end and step as constants; the sequence may have {MAX_SEQUENCE:,} elements."
    else:
        return
    if not allowed:
        raise Failure(
            FailureCode.FUNCTION_NOT_ALLOWED,
            "The size of what this function would make is not bounded.",
            advice,
            position=position_of(text, node),
        )


def _elements(node: exp.GenerateSeries) -> float | None:
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
    if isinstance(start, date) and isinstance(end, date) and isinstance(step, Span):
        shortest = abs(step.days + 28 * step.months)
        return abs(end - start) / timedelta(days=1) / shortest + 1 if shortest >= 1 else None
    return None
