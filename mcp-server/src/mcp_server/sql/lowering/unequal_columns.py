"""Finds columns that a bound statement holds equal although no sampled value of one is one of the other.

A join of `C12` with `CUSTOMER#0012` is no error and has no rows; nobody is told but here. It decides nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlglot import exp

from mcp_server.domain.schema import Examples, TypeKind
from mcp_server.domain.text_shape import shape_of
from mcp_server.sql.lowering.provenance import Place, Provenance, path_of
from mcp_server.sql.lowering.text_comparisons import operand_of
from mcp_server.sql.sources import Block, Sources
from mcp_server.sql.trees import holds

MOST = 5
"""Pairs of one statement of which anything is told."""

_TIMES = "time, ISO 8601"


@dataclass(frozen=True, slots=True, eq=False)
class UnequalColumns:
    """Two columns, or parts of them, that share no sampled value.

    `filters` tells that every row of the result has equal values there, if there is a row; of a result that is one
    number, if it is not 0.
    """

    one: Place
    other: Place
    filters: bool


def unequal_columns(
    query: exp.Query, sources: Sources, provenance: Provenance, *, most: int = MOST
) -> tuple[UnequalColumns, ...]:
    """The pairs of the first equalities; none of a statement that is nested too deeply to look."""
    try:
        return tuple(islice(_unequal(query, sources, provenance), most))
    except RecursionError:
        return ()


def _unequal(query: exp.Query, sources: Sources, provenance: Provenance) -> Iterator[UnequalColumns]:
    for column, block, _ in sources.columns:
        equality = _equality(column)
        if equality is None or block is None:
            continue
        left = provenance.of(equality.this, block)
        right = _other_side(equality, block, provenance)
        if left is None or right is None or len(left) != 1 or len(right) != 1:
            continue
        (one,), (other,) = left, right
        if one.key != other.key and share_nothing(one, other):
            yield UnequalColumns(one, other, _filters(equality, query))


def _equality(column: exp.Column) -> exp.Expr | None:
    """The equality, or the IN, whose left side has its values from a column, or from a part of it."""
    operand = operand_of(column)
    around = operand.parent
    return around if isinstance(around, exp.EQ | exp.NullSafeEQ | exp.In) and around.this is operand else None


def _other_side(equality: exp.Expr, block: Block, provenance: Provenance) -> tuple[Place, ...] | None:
    if isinstance(equality, exp.In):
        rows = equality.args.get("query")
        return provenance.of_query(rows) if isinstance(rows, exp.Expr) else None
    side = equality.expression
    return provenance.of_query(side) if isinstance(side, exp.Subquery) else provenance.of(side, block)


def share_nothing(one: Place, other: Place) -> bool:
    """Whether the samples of two places tell that no value of one is one of the other."""
    if one.case is not None or other.case is not None:
        return False
    first, second = _values(one), _values(other)
    if first and second:
        return not set(first) & set(second)
    left, right = _written(one), _written(other)
    if left is None or right is None:
        return False
    if first or second:
        shape = right.shape if first else left.shape
        shapes = [shape_of(value) for value in first or second]
        return shape is not None and all(known is not None and _differ(known, shape) for known in shapes)
    if left.shape is not None and right.shape is not None:
        return _differ(left.shape, right.shape)
    return _of_other_form(left, right) or _of_other_case(left, right)


def _values(place: Place) -> tuple[str, ...]:
    """The values of a place of texts, where they are few enough to be known."""
    column, steps = place.part.column, place.part.steps
    if column.examples is None or place.part.type.kind is not TypeKind.VARCHAR:
        return ()
    return column.examples.of(path_of(steps))


def _written(place: Place) -> Examples | None:
    """How the texts of a whole column are written."""
    is_text = not place.part.steps and place.part.column.type.kind is TypeKind.VARCHAR
    examples = place.part.column.examples if is_text else None
    return examples if examples is not None and examples.low is not None else None


def _differ(one: str, other: str) -> bool:
    """Whether no text has both shapes."""
    return len(one) != len(other) or any(
        left != right and not ({left, right} <= set("0aA*") and "*" in (left, right))
        for left, right in zip(one, other, strict=True)
    )


def _of_other_form(one: Examples, other: Examples) -> bool:
    if one.form is None or other.form is None:
        return False
    times = [examples.form.startswith(_TIMES) for examples in (one, other) if examples.form is not None]
    return not all(times) and not set(one.form.split(", ")) & set(other.form.split(", "))


def _of_other_case(one: Examples, other: Examples) -> bool:
    """Whether one has capitals alone and the other small letters alone, and the least text of each has letters."""
    lows = [examples.low or "" for examples in (one, other)]
    return {one.one_case, other.one_case} == {"lower", "upper"} and all(low.upper() != low.lower() for low in lows)


def _filters(equality: exp.Expr, query: exp.Query) -> bool:
    """Whether every row of the result comes of rows in which both are equal, or is the number of such rows."""
    node = equality.parent
    while isinstance(node, exp.And | exp.Paren):
        node = node.parent
    if not isinstance(query, exp.Select) or equality.args.get("negate"):
        return False
    if any(join.side or join.kind in ("SEMI", "ANTI", "OUTER") for join in query.args.get("joins") or []):
        return False
    if not isinstance(node, exp.Where | exp.Join) or node.parent is not query:
        return False
    if [type(one.unalias()) for one in query.expressions] == [exp.Count]:
        return True
    return query.args.get("group") is not None or not any(
        holds(one, exp.AggFunc, exp.Anonymous) for one in query.expressions
    )
