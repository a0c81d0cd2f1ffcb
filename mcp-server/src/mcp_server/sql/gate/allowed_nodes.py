"""The kinds of syntax a statement may be made of, apart from functions. What is not named here is refused."""

from sqlglot import exp

from mcp_server.domain.failures.syntax import Unsupported

QUERIES = (
    exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Subquery, exp.Values,
    exp.With, exp.CTE,
)  # fmt: skip

CLAUSES = (
    exp.From, exp.Join, exp.Lateral, exp.Where, exp.Group, exp.GroupingSets, exp.Rollup, exp.Cube, exp.Having,
    exp.Qualify, exp.Distinct, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls,
    exp.Pivot, exp.PivotAlias, exp.UnpivotColumns,
)  # fmt: skip

NAMES = (
    exp.Table, exp.TableAlias, exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Var, exp.Dot,
)  # fmt: skip

VALUES = (
    exp.Literal, exp.Boolean, exp.Null, exp.HexString, exp.Interval, exp.IntervalSpan, exp.Tuple, exp.Paren,
    exp.DataType, exp.DataTypeParam, exp.ColumnDef, exp.PropertyEQ, exp.Bracket, exp.Slice,
    exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript, exp.JSONPathWildcard,
    exp.JSONPathRecursive, exp.JSONPathSlice, exp.JSONPathUnion,
)  # fmt: skip

OPERATORS = (
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.SimilarTo, exp.Glob, exp.Escape, exp.Any, exp.All, exp.Exists,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.Neg, exp.DPipe,
    exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Extract, exp.AtTimeZone, exp.Collate,
    exp.JSONExtract, exp.JSONExtractScalar, exp.JSONKeyValue, exp.Unnest, exp.Array, exp.Struct, exp.RegexpLike,
)  # fmt: skip

ALLOWED_NODES: frozenset[type[exp.Expr]] = frozenset(QUERIES + CLAUSES + NAMES + VALUES + OPERATORS)

TABLE_FUNCTIONS = (exp.GenerateSeries, exp.Unnest, exp.Explode)
"""The functions that may stand for a table."""

UNSUPPORTED: dict[type[exp.Expr], Unsupported] = {
    exp.Lambda: Unsupported.LAMBDA,
    exp.Comprehension: Unsupported.COMPREHENSION,
    exp.TableSample: Unsupported.SAMPLE,
    exp.Columns: Unsupported.COLUMNS,
    exp.PositionalColumn: Unsupported.POSITIONAL_COLUMN,
    exp.Pivot: Unsupported.PIVOT,
    exp.Table: Unsupported.FROM_ITEM,
    exp.Lateral: Unsupported.LATERAL,
    exp.Lock: Unsupported.LOCK,
    exp.Into: Unsupported.INTO,
    exp.HistoricalData: Unsupported.HISTORY,
    exp.Version: Unsupported.HISTORY,
    exp.Limit: Unsupported.LIMIT_BY,
    **dict.fromkeys((exp.Any, exp.All), Unsupported.QUANTIFIER),
}
"""The refused syntax that is met most."""
