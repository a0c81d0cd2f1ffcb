"""The statement with casts around columns of texts that it takes for numbers, days or times, or the other way round.

`sum(TRY_CAST(amount AS DOUBLE))` computes with the numbers of a column that holds texts, too,
`sum(TRY_CAST(m.zip AS DOUBLE))` with those of a part of a map or list, and `year(CAST(day AS DATE))` with days that are
texts, as those in keys are. DuckDB refuses to compute with texts, or fails at the first one that is no number. Nor does
it take days for texts: `CAST(placed AS VARCHAR) LIKE '2024-03%'`.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Column
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.written_parts import text_parts

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
    found = [one for one in _columns(statement, names) if _is_computed_with(one, blamed)]
    return _with_casts(statement.text, [(one, "TRY_CAST({} AS DOUBLE)") for one in found])


def with_numbers_of_parts(
    statement: Statement, columns: Collection[Column], blamed: exp.Expr | None
) -> tuple[str, tuple[str, ...]] | None:
    """The text with TRY_CAST around parts of columns that are text, wherever they are computed with; and these parts.

    None where that is nowhere, or not where the blame lies.
    """
    found = [one for one in text_parts(statement, columns) if _is_computed_with(one.node, blamed)]
    inside = {id(node) for node in blamed.walk()} if blamed is not None else {id(one.node) for one in found}
    if inside.isdisjoint(id(one.node) for one in found):
        return None
    text = with_casts(statement.text, [(one.start, one.end, "TRY_CAST({} AS DOUBLE)") for one in found])
    return text, tuple(dict.fromkeys(statement.text[one.start : one.end] for one in found))


def _is_computed_with(node: exp.Expr, blamed: exp.Expr | None) -> bool:
    around = _around(node)
    if isinstance(around, exp.Cast):
        return not isinstance(around, exp.TryCast) and around.to.this in exp.DataType.NUMERIC_TYPES
    return around is blamed or isinstance(around, _OF_NUMBERS)


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


def _around(node: exp.Expr) -> exp.Expr:
    around = node
    while around is node or isinstance(around, exp.Paren):
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
    return with_casts(text, places) if places else None


def with_casts(text: str, places: Collection[tuple[int, int, str]]) -> str:
    """The text with each cast, of which `{}` is the operand, around what stands from one place to another."""
    for start, end, cast in sorted(set(places), reverse=True):
        text = f"{text[:start]}{cast.format(text[start:end])}{text[end:]}"
    return text
