"""Says how a refused statement is written in DuckDB's dialect, where that can be told.

A suggestion is only made if it passes the gate itself. It is advice: callers send it, nothing runs it by itself.
"""

import itertools
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from mcp_server.domain.failures import Meant
from mcp_server.domain.names import is_slip
from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.foreign.functions import with_our_functions
from mcp_server.sql.gate.foreign.pieces import calls, edited, pieces
from mcp_server.sql.gate.foreign.syntax import with_names_for_brackets, with_our_syntax

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

_WORDS_BEFORE_BRACKETS = (
    *("all", "and", "any", "array", "as", "between", "by", "case", "cast", "char", "cube", "decimal", "else"),
    *("except", "exists", "extract", "filter", "from", "grouping", "having", "in", "intersect", "interval"),
    *("join", "lateral", "like", "limit", "not", "numeric", "nvarchar", "offset", "on", "or", "order", "over"),
    *("partition", "rollup", "select", "sets", "some", "struct", "then", "try_cast", "union", "using"),
    *("values", "varchar", "when", "where", "with", "within"),
)
"""Words behind which a bracket makes no call."""

_KEYWORDS = (
    *("select", "from", "where", "group", "having", "qualify", "order", "limit", "offset", "join", "union", "with"),
    *("values", "distinct", "between", "intersect", "except"),
)


def rewording(text: str, accepted: Callable[[str], bool], *, is_parsed: bool) -> Meant | None:
    """How a refused statement is written in DuckDB's dialect; None if it cannot be told.

    `accepted` says whether a statement passes the gate; `is_parsed` that our dialect can read this one, which is
    then not read as one of another.
    """
    if len(text) > MAX_LENGTH:
        return None
    spelt = _with_keywords(text, accepted)
    if spelt is not None:
        return Meant(spelt, "keyword")
    ours = with_our_functions(with_our_syntax(text))
    named = ours if is_parsed else with_names_for_brackets(ours)
    for statement in (ours, named):
        if statement != text and accepted(statement):
            return Meant(statement, "function")
    if is_parsed:
        return None
    for dialect, name in _DIALECTS.items():
        theirs = _translated(named, dialect)
        if theirs is not None and theirs != text and accepted(theirs):
            return Meant(theirs, "dialect", name)
    return None


def nearest_keyword(word: str) -> str | None:
    """The keyword, in capitals, that a word nearly is."""
    near = get_close_matches(word.lower(), _KEYWORDS, n=1, cutoff=0.75)
    return near[0].upper() if near and near[0] != word.lower() else None


def with_function(text: str, name: str, near: Iterable[str], accepted: Callable[[str], bool]) -> Meant | None:
    """The statement with the only function that a name is but for one letter, or for two that changed places."""
    alike = [one for one in near if is_slip(name, one)]
    found = pieces(text)
    edits = [
        (piece.start, piece.end, alike[0])
        for piece, following in itertools.pairwise(found)
        if len(alike) == 1 and piece.is_word(name) and following.text == "("
    ]
    ours = edited(text, edits) if len(text) <= MAX_LENGTH else text
    return Meant(ours) if ours != text and accepted(ours) else None


def _with_keywords(text: str, accepted: Callable[[str], bool]) -> str | None:
    """The statement with one word replaced by the keyword that it nearly is; None unless that makes it right."""
    for word in itertools.islice(re.finditer(r"\b[A-Za-z]{4,9}\b", text), MAX_WORDS):
        keyword = nearest_keyword(word[0])
        if keyword is not None and accepted(corrected := f"{text[: word.start()]}{keyword}{text[word.end() :]}"):
            return corrected
    return None


def _translated(text: str, dialect: str) -> str | None:
    """The statement read as one of another dialect; None where the same words mean another thing there."""
    if not _reads_alike(text, dialect):
        return None
    try:
        statement = sqlglot.parse_one(text, read=dialect, error_level=ErrorLevel.IMMEDIATE)
        if not isinstance(statement, exp.Query):
            return None
        if dialect == "snowflake":
            _read_as_text(statement)
        return statement.sql(dialect=Dialect, unsupported_level=ErrorLevel.RAISE, comments=False)
    except Exception:  # the parser and the generator fail in any way on what they do not know
        return None


def _reads_alike(text: str, dialect: str) -> bool:
    """Whether quotes, subscripts, operators and calls in a statement mean in a dialect what they mean in ours."""
    found = pieces(text)
    texts = {str(quote) for quote in sqlglot.Dialect.get_or_raise(dialect).tokenizer_class.QUOTES}
    if any(piece.text[0] in texts for piece in found if piece.kind == "name"):
        return False
    signs = {piece.text for piece in found if piece.kind == "sign"}
    if signs & {"[", "^"} or (dialect == "mysql" and "||" in text):
        return False
    called = {(call.name, len(call.arguments)) for call in calls(found)}
    return all(_is_called_alike(*call, dialect) for call in called if call[0] not in _WORDS_BEFORE_BRACKETS)


def _is_called_alike(name: str, arguments: int, dialect: str) -> bool:
    text = f"SELECT {name}({', '.join(f'_{number}' for number in range(arguments))})"
    try:
        theirs, ours = (
            sqlglot.parse_one(text, read=read, error_level=ErrorLevel.IMMEDIATE).sql(dialect=Dialect)
            for read in (dialect, Dialect)
        )
    except Exception:  # as below
        return False
    return theirs == ours


def _read_as_text(statement: exp.Query) -> None:
    """Snowflake's `a:b` compares with texts as `a->>'b'` does, where `a->'b'` would have its text in quotes."""
    for node in list(statement.find_all(exp.JSONExtract)):
        if not isinstance(node.parent, exp.JSONExtract | exp.JSONExtractScalar):
            node.replace(exp.JSONExtractScalar(this=node.this, expression=node.expression))
