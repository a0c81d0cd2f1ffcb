"""Says how a refused statement is written in DuckDB's dialect, where that can be told.

A suggestion is only made if it passes the gate itself. It is advice: callers send it, nothing runs it by itself.
"""

import itertools
import re
from collections.abc import Callable
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel

from mcp_server.domain.failures import Meant
from mcp_server.sql.dialect import Dialect

MAX_LENGTH = 2_000
"""Characters of a statement that is reworded; each try parses it once more."""

MAX_WORDS = 100
"""Words that are looked at for misspelt keywords."""

_DIALECTS = {
    "mysql": "MySQL",
    "postgres": "PostgreSQL",
    "tsql": "SQL Server",
    "oracle": "Oracle",
    "snowflake": "Snowflake",
    "bigquery": "BigQuery",
    "trino": "Trino",
}

_FUNCTIONS = {
    "add_months": "$1 + to_months($2)",
    "attribute_exists": "$1 IS NOT NULL",
    "attribute_not_exists": "$1 IS NULL",
    "begins_with": "starts_with($1, $2)",
    "from_unixtime": "to_timestamp($1)",
    "isnull": "ifnull($1, $2)",
    "json_agg": "json_group_array($1)",
    "json_arrayagg": "json_group_array($1)",
    "json_unquote": "$1->>'$'",
    "jsonb_agg": "json_group_array($1)",
    "months_between": "date_diff('month', $2, $1)",
    "nvl2": "CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END",
    "regexp_substr": "regexp_extract($1, $2)",
    "size": "len($1)",
    "sysdate": "now()",
    "unix_timestamp": "epoch($1)",
}
"""Functions of DynamoDB's expressions and of other databases, with what does the same here; `$1` is an argument."""

_KEYWORDS = (
    *("select", "from", "where", "group", "having", "qualify", "order", "limit", "offset", "join", "union", "with"),
    *("values", "distinct", "between", "intersect", "except"),
)


def rewording(text: str, accepted: Callable[[str], bool]) -> Meant | None:
    """How a refused statement is written in DuckDB's dialect; None if it cannot be told.

    `accepted` says whether a statement passes the gate.
    """
    if len(text) > MAX_LENGTH:
        return None
    spelt = _with_keywords(text, accepted)
    if spelt is not None:
        return Meant(spelt, "keyword")
    ours = _with_our_functions(text)
    if ours is not None and accepted(ours):
        return Meant(ours, "function")
    for dialect, name in _DIALECTS.items():
        theirs = _translated(text, dialect)
        if theirs is not None and theirs != text and accepted(theirs):
            return Meant(theirs, "dialect", name)
    return None


def nearest_keyword(word: str) -> str | None:
    """The keyword, in capitals, that a word nearly is."""
    near = get_close_matches(word.lower(), _KEYWORDS, n=1, cutoff=0.75)
    return near[0].upper() if near and near[0] != word.lower() else None


def _with_keywords(text: str, accepted: Callable[[str], bool]) -> str | None:
    """The statement with one word replaced by the keyword that it nearly is; None unless that makes it right."""
    for word in itertools.islice(re.finditer(r"\b[A-Za-z]{4,9}\b", text), MAX_WORDS):
        keyword = nearest_keyword(word[0])
        if keyword is not None and accepted(corrected := f"{text[: word.start()]}{keyword}{text[word.end() :]}"):
            return corrected
    return None


def _with_our_functions(text: str) -> str | None:
    """The statement with known functions of others replaced; None if it has none, or cannot be parsed."""
    try:
        statement = sqlglot.parse_one(text, read=Dialect)
        calls = [node for node in statement.find_all(exp.Anonymous) if node.name.lower() in _FUNCTIONS]
        if not calls:
            return None
        for call in calls:
            meaning = _meaning(call)
            if meaning is None:
                return None
            call.replace(meaning)
        return statement.sql(dialect=Dialect, unsupported_level=ErrorLevel.RAISE, comments=False)
    except Exception:  # the parser and the generator fail in any way on calls that lack arguments
        return None


def _meaning(call: exp.Anonymous) -> exp.Expr | None:
    template = _FUNCTIONS[call.name.lower()]
    wanted = {int(number) for number in re.findall(r"\$(\d)", template)}
    if len(call.expressions) != max(wanted, default=0):
        return None
    # An argument stands for the column of its number: `$1` is `_1`.
    meaning: exp.Expr = sqlglot.parse_one(re.sub(r"\$(\d)", r"_\1", template), read=Dialect)
    for place in list(meaning.find_all(exp.Column)):
        argument = call.expressions[int(place.name[1:]) - 1].copy()
        place.replace(exp.paren(argument) if isinstance(argument, exp.Binary) else argument)
    return meaning


def _translated(text: str, dialect: str) -> str | None:
    try:
        statement = sqlglot.parse_one(text, read=dialect, error_level=ErrorLevel.IMMEDIATE)
        if not isinstance(statement, exp.Query):
            return None
        if dialect == "snowflake":
            _read_as_text(statement)
        _count_from_one(statement)
        return statement.sql(dialect=Dialect, unsupported_level=ErrorLevel.RAISE, comments=False)
    except Exception:  # as above
        return None


def _read_as_text(statement: exp.Query) -> None:
    """Snowflake's `a:b` compares with texts as `a->>'b'` does, where `a->'b'` would have its text in quotes."""
    for node in list(statement.find_all(exp.JSONExtract)):
        if not isinstance(node.parent, exp.JSONExtract | exp.JSONExtractScalar):
            node.replace(exp.JSONExtractScalar(this=node.this, expression=node.expression))


def _count_from_one(statement: exp.Query) -> None:
    """The parser has made other dialects' subscripts to count from 0, except where `offset` says otherwise."""
    for bracket in statement.find_all(exp.Bracket):
        offset = DuckDB.INDEX_OFFSET - bracket.args.get("offset", 0)
        bracket.set("expressions", exp.apply_index_offset(bracket.this, bracket.expressions, offset, dialect=DuckDB))
