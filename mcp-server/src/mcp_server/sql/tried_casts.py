"""The statement as it computes with the numbers of columns that hold texts, too: `sum(TRY_CAST(amount AS DOUBLE))`.

Such a column is text, so that DuckDB refuses to compute with it, or fails at the first text that is no number.
"""

from collections.abc import Collection

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.gate.parse import Statement

_TAKE_NUMBERS = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Pow),
    *(exp.Sum, exp.Avg, exp.Median, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
    *(exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Sign),
)


def blamed_columns(blamed: exp.Expr | None, names: Collection[str]) -> tuple[str, ...]:
    """Those of the names that columns have in an expression that is blamed; all of them where none is."""
    if blamed is None:
        return tuple(names)
    inside = {fold(column.name) for column in blamed.find_all(exp.Column)}
    return tuple(name for name in names if fold(name) in inside)


def with_tried_casts(statement: Statement, names: Collection[str], blamed: exp.Expr | None) -> str | None:
    """The text with TRY_CAST around columns of those names, wherever they are computed with or the blame lies.

    None where that is nowhere, or where a column does not stand in the text.
    """
    folded = {fold(name) for name in names}
    places: list[tuple[int, int]] = []
    for column in statement.expression.find_all(exp.Column):
        if fold(column.name) not in folded or not _is_computed_with(column, blamed):
            continue
        first, last = column.parts[0].meta.get("start"), column.parts[-1].meta.get("end")
        if not isinstance(first, int) or not isinstance(last, int):
            return None
        places.append((first, last + 1))
    text = statement.text
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]}TRY_CAST({text[start:end]} AS DOUBLE){text[end:]}"
    return text if places else None


def _is_computed_with(column: exp.Column, blamed: exp.Expr | None) -> bool:
    around: exp.Expr | None = column.parent
    while isinstance(around, exp.Paren):
        around = around.parent
    if isinstance(around, exp.Cast):
        return not isinstance(around, exp.TryCast) and around.to.this in exp.DataType.NUMERIC_TYPES
    return around is not None and (around is blamed or isinstance(around, _TAKE_NUMBERS))
