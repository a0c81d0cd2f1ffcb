"""The kinds of syntax a statement may be made of, apart from functions. What is not named here is refused."""

from sqlglot import exp

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

ADVICE: dict[type[exp.Expr], str] = {
    exp.Lambda: "Lambdas are not supported; unnest the list and use ordinary expressions.",
    exp.Comprehension: "List comprehensions are not supported; unnest the list and use ordinary expressions.",
    exp.TableSample: "Sampling is not supported; use ORDER BY and LIMIT.",
    exp.Columns: "COLUMNS(…) is not supported; name the columns.",
    exp.PositionalColumn: "Name the column instead of giving its position.",
    exp.Pivot: "Use SELECT … FROM table PIVOT (aggregate FOR column IN (values)).",
    exp.Table: "Only tables, subqueries, VALUES, unnest, range and generate_series can be read from.",
    exp.Lateral: "After LATERAL write a subquery, unnest, range or generate_series.",
    exp.Lock: "Leave FOR UPDATE out; statements only read.",
    exp.Into: "Leave INTO out; statements only read.",
    exp.HistoricalData: "Reading a table as of another time is not supported.",
    exp.Version: "Reading a table as of another time is not supported.",
}
"""What to do instead of the refused syntax that is met most."""

_ROWS_OF_LISTS = "unnest(list) in FROM or in the SELECT list makes a row of each element."

INSTEAD: dict[str, str] = {
    "explode": _ROWS_OF_LISTS,
    "flatten": _ROWS_OF_LISTS,
    "json_array_elements": _ROWS_OF_LISTS,
    "json_array_elements_text": _ROWS_OF_LISTS,
    "json_build_object": "Use json_object(key, value, …).",
    "json_each": _ROWS_OF_LISTS,
    "json_table": _ROWS_OF_LISTS,
    "jsonb_array_elements": _ROWS_OF_LISTS,
    "jsonb_array_elements_text": _ROWS_OF_LISTS,
    "jsonb_build_object": "Use json_object(key, value, …).",
    "julianday": "Subtract dates, or use date_diff('day', start, end).",
    "list_filter": ADVICE[exp.Lambda],
    "list_transform": ADVICE[exp.Lambda],
    "openjson": _ROWS_OF_LISTS,
    "substring_index": "Use split_part(text, separator, number).",
    "unix_timestamp": "Use epoch(now()).",
    "width_bucket": "Compute it: floor((x - low) / width) + 1.",
}
"""What to use instead of functions of other databases that nothing here is called like."""
