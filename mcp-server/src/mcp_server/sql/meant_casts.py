"""The statement with casts around columns of texts that it takes for numbers, days or times, or the other way round.

`sum(TRY_CAST(amount AS DOUBLE))` computes with the numbers of a column that holds texts, too, and
`year(CAST(day AS DATE))` with days that are texts, as those in keys are. DuckDB refuses to compute with texts, or fails
at the first one that is no number. Nor does it take days for texts: `CAST(placed AS VARCHAR) LIKE '2024-03%'`.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.gate.parse import Statement

_OF_NUMBERS = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Pow),
    *(exp.Sum, exp.Avg, exp.Median, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
    *(exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Sign),
)
_OF_MOMENTS = (
    *(exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfMonth, exp.DayOfWeek, exp.DayOfYear),
    *(exp.Extract, exp.DateTrunc, exp.TimestampTrunc, exp.DateDiff),
)

_OF_TEXTS = (
    *(exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.RegexpLike, exp.RegexpFullMatch, exp.RegexpExtract),
    *(exp.StartsWith, exp.EndsWith, exp.Contains, exp.StrPosition, exp.Left, exp.Right, exp.Substring),
    *(exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Split, exp.Replace, exp.RegexpReplace),
)


def blamed_columns(blamed: exp.Expr | None, names: Collection[str]) -> tuple[str, ...]:
    """Those of the names that columns have in an expression that is blamed; all of them where none is."""
    if blamed is None:
        return tuple(names)
    inside = {fold(column.name) for column in blamed.find_all(exp.Column)}
    return tuple(name for name in names if fold(name) in inside)


def with_numbers(statement: Statement, names: Collection[str], blamed: exp.Expr | None) -> str | None:
    """The text with TRY_CAST around columns of those names, wherever they are computed with or the blame lies.

    None where that is nowhere, or where a column does not stand in the text.
    """

    def is_computed_with(around: exp.Expr) -> bool:
        if isinstance(around, exp.Cast):
            return not isinstance(around, exp.TryCast) and around.to.this in exp.DataType.NUMERIC_TYPES
        return around is blamed or isinstance(around, _OF_NUMBERS)

    found = [one for one in _columns(statement, names) if is_computed_with(_around(one))]
    return _with_casts(statement.text, [(one, "TRY_CAST({} AS DOUBLE)") for one in found])


def with_moments(statement: Statement, types: Mapping[str, str], blamed: exp.Expr) -> str | None:
    """The text with CAST to their types around columns, where the blame lies, or of which a function takes a date.

    None where that is nowhere, or where a column does not stand in the text.
    """
    casts = {fold(name): f"CAST({{}} AS {type_})" for name, type_ in types.items()}
    found = [
        one for one in _columns(statement, types) if _around(one) is blamed or isinstance(_around(one), _OF_MOMENTS)
    ]
    return _with_casts(statement.text, [(one, casts[fold(one.name)]) for one in found])


def with_texts(statement: Statement, names: Collection[str]) -> str | None:
    """The text with CAST to VARCHAR around columns, none of which holds texts, that are taken apart as texts.

    None where that is nowhere, or where a column does not stand in the text.
    """
    found = [one for one in _columns(statement, names) if _is_taken_for_text(one)]
    return _with_casts(statement.text, [(one, "CAST({} AS VARCHAR)") for one in found])


def _is_taken_for_text(column: exp.Column) -> bool:
    around = _around(column)
    return isinstance(around, _OF_TEXTS) and around.this.unnest() is column


def _columns(statement: Statement, names: Collection[str]) -> list[exp.Column]:
    folded = {fold(name) for name in names}
    return [one for one in statement.expression.find_all(exp.Column) if fold(one.name) in folded]


def _around(column: exp.Column) -> exp.Expr:
    around: exp.Expr = column
    while around is column or isinstance(around, exp.Paren):
        assert around.parent is not None  # a column stands in a query
        around = around.parent
    return around


def _with_casts(text: str, casts: Sequence[tuple[exp.Column, str]]) -> str | None:
    places: list[tuple[int, int, str]] = []
    for column, cast in casts:
        first, last = column.parts[0].meta.get("start"), column.parts[-1].meta.get("end")
        if not isinstance(first, int) or not isinstance(last, int):
            return None
        places.append((first, last + 1, cast))
    for start, end, cast in sorted(places, reverse=True):
        text = f"{text[:start]}{cast.format(text[start:end])}{text[end:]}"
    return text if places else None
