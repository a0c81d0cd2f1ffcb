"""The gate: text in, one harmless read-only statement out, or a Failure that says why not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.domain.failures import Failure, FailureCode, Meant, Position
from mcp_server.domain.failures.functions import UnknownFunction
from mcp_server.domain.failures.parameters import MissingParameters, UnfitParameter
from mcp_server.domain.failures.syntax import NotAQuery, NotOneQuery, Wish
from mcp_server.domain.failures.texts import (
    ControlCharacter,
    EmptyStatement,
    MisspeltBeginning,
    NestedTooDeeply,
    NotANumber,
    NoTokens,
    NotUnicode,
    StatementTooLong,
    Unparsable,
)
from mcp_server.domain.names import quoted
from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.allow_list import check
from mcp_server.sql.gate.escape_strings import decode_escape_strings
from mcp_server.sql.gate.foreign.failed import with_our_names, with_our_operators
from mcp_server.sql.gate.parameters import JsonValue, Parameters, mark_parameters, substitute
from mcp_server.sql.gate.rewording import MAX_LENGTH, nearest_keyword, rewording, with_function
from mcp_server.sql.gate.rewrites import rewrite
from mcp_server.sql.gate.sizes import bound_sequences
from mcp_server.sql.positions import position_at
from mcp_server.sql.tables import TableName, table_names
from mcp_server.sql.tokens import plain_tokens
from mcp_server.sql.trees import nodes
from mcp_server.sql.word_places import place_of_parameter

MAX_BYTES = 64 * 1024
"""Length of a statement in UTF-8."""

MAX_BRACKETS = 60
"""Brackets open at once. The parser tries some readings twice at each level, so the bound also bounds its time."""

_FIRST_WORDS = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.VALUES, TokenType.TABLE, TokenType.L_PAREN}
)
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})

_BRACKET = re.compile(r"[(\[{]")
_PLACE = re.compile(r"[?$@:]")
"""What every place for a parameter has in it."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

_EXPLAINED = re.compile(r"explain\s+(?:(?:analyze|verbose)\s+)*(?P<query>(?:select|with|from|values)\b.*)", re.I | re.S)

_REWORDABLE = (FailureCode.SYNTAX_ERROR, FailureCode.SYNTAX_NOT_SUPPORTED, FailureCode.FUNCTION_NOT_ALLOWED)

__all__ = ["JsonValue", "Statement", "TableName", "meant_instead", "parse"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that passed the gate. `tables` are its real table references; names of CTEs are not among them.

    `nodes` are all nodes of its tree, level by level, each in one place that it knows. `timed` tells that an instant
    stands where its text asks for the time.
    """

    text: str
    expression: exp.Query
    tables: frozenset[TableName]
    nodes: Sequence[exp.Expr] = field(repr=False)
    timed: bool = False


def parse(text: str, parameters: Parameters) -> Statement:
    """Parses and checks a statement, with its parameters in place as literals.

    `parameters` is a list for `?` and `$1`, an object for `$name` and `:name`. Raises Failure: invalid_argument,
    syntax_error, syntax_not_supported, statement_not_allowed, function_not_allowed, invalid_parameters.
    """
    _check_text(text)
    try:
        return _statement(text, parameters)
    except RecursionError:
        raise Failure(NestedTooDeeply()) from None
    except Failure as failure:
        is_parsed = not isinstance(failure.fact, NoTokens | Unparsable)
        meant = rewording(text, _accepted, is_parsed=is_parsed) if failure.code in _REWORDABLE else None
        if meant is None and isinstance(failure.fact, UnknownFunction):
            meant = with_function(text, failure.fact.name, failure.fact.near, _accepted)
        if meant is None:
            raise
        raise Failure(failure.fact, position=failure.position, meant=meant) from None


def meant_instead(text: str, told: str | None = None) -> Meant | None:
    """How a statement is written that could not be bound, or not be evaluated, of which DuckDB told so; else None."""
    if len(text) > MAX_LENGTH:
        return None
    ours = with_our_names(text) if told is None else with_our_operators(text, told)
    return Meant(ours, "function") if ours != text and _accepted(ours) else None


def _statement(text: str, parameters: Parameters) -> Statement:
    expression = _parsed(text, parameters)
    found = nodes(expression)
    query = check(expression, found, text)
    if bound_sequences(found):
        found = nodes(query)
    return Statement(text, query, table_names(found, text), found)


def _accepted(text: str) -> bool:
    try:
        _statement(text, None)
    except Failure as failure:
        return failure.code is FailureCode.INVALID_PARAMETERS  # it is checked without its parameters
    except RecursionError:
        return False
    return True


def _check_text(text: str) -> None:
    if not text.strip():
        raise Failure(EmptyStatement())
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Failure(NotUnicode()) from None
    if size > MAX_BYTES:
        raise Failure(StatementTooLong(size, MAX_BYTES))
    control = _CONTROL.search(text)
    if control is not None:
        raise Failure(ControlCharacter(ord(control[0])), position=position_at(text, control.start()))


def _parsed(text: str, parameters: Parameters) -> exp.Expr:
    dialect = Dialect()
    tokens = _tokens(dialect, text)
    try:
        tokens = decode_escape_strings(tokens, text) if "e'" in text or "E'" in text else tokens
        with_parameters = bool(parameters) or _PLACE.search(text) is not None
        tokens = mark_parameters(tokens, text) if with_parameters else tokens
        statements = dialect.parser().parse(tokens, text)
    except ParseError as error:
        raise _syntax_error(error, text) from None
    if len(statements) != 1 or statements[0] is None:
        raise Failure(NotOneQuery())
    expression = _substituted(statements[0], parameters, tokens, text) if with_parameters else statements[0]
    expression.parent = None  # the parser leaves one where it takes brackets off: `WITH … (SELECT …)`
    if isinstance(expression, exp.Values):
        expression = exp.select("*").from_(expression)
    return rewrite(expression, text)


def _substituted(expression: exp.Expr, parameters: Parameters, tokens: list[Token], text: str) -> exp.Expr:
    try:
        return substitute(expression, parameters)
    except Failure as failure:
        match failure.fact:
            case MissingParameters(names=(name, *_)) | UnfitParameter(name=name):
                raise Failure(failure.fact, position=place_of_parameter(tokens, name, text)) from None
        raise


def _tokens(dialect: Dialect, text: str) -> list[Token]:
    try:
        plain = plain_tokens(text)
        tokens = plain if plain is not None else list(dialect.tokenize(text))
    except TokenError as error:
        position = position_at(text, error.start) if error.start is not None else None
        raise Failure(NoTokens(), position=position) from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    # Behind a number of a plain text stands no word.
    if plain is None or ";" in text or len(_BRACKET.findall(text)) > MAX_BRACKETS:
        _check_tokens(tokens, text)
    if not tokens:
        raise Failure(NotOneQuery(), position=Position(1, 1))
    if tokens[0].token_type not in _FIRST_WORDS:
        raise _no_query(tokens, text)
    return tokens


def _check_tokens(tokens: list[Token], text: str) -> None:
    depth = 0
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.token_type is TokenType.NUMBER and following is not None and following.start == token.end + 1:
            _check_number(token, following, text)
        # The parser answers what it does not know with a catch-all command and logs the text: stop that beforehand.
        if token.token_type is TokenType.SEMICOLON:
            raise Failure(NotOneQuery(), position=position_at(text, token.start))
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_BRACKETS:
            raise Failure(NestedTooDeeply())


def _check_number(token: Token, following: Token, text: str) -> None:
    """DuckDB reads `0x1F` as the number 0 with the alias x1F, and `5kg` likewise."""
    if following.token_type is TokenType.VAR:
        # Not a syntax error to be translated: in MySQL it is a text of bytes, or a name.
        raise Failure(NotANumber(text[token.start : following.end + 1]), position=position_at(text, token.start))


def _no_query(tokens: list[Token], text: str) -> Failure:
    """The refusal of a statement by its first word: most of those only look something up."""
    words, position = [token.text.lower() for token in tokens[:4]], position_at(text, tokens[0].start)
    near = nearest_keyword(words[0]) if tokens[0].token_type is TokenType.VAR else None
    if near in ("SELECT", "FROM", "WITH", "VALUES"):
        meant = Meant(f"{text[: tokens[0].start]}{near}{text[tokens[0].end + 1 :]}")
        return Failure(MisspeltBeginning(tokens[0].text, near), position=position, meant=meant)
    if words[0] == "show" and words[1:2] in (["databases"], ["schemas"]):
        fact = NotAQuery(words[0], Wish.SCHEMAS)
    elif words[0] == "show" and words[1:2] not in (["columns"], ["create"]):
        fact = NotAQuery(words[0], Wish.TABLES)
    elif words[0] in ("describe", "desc", "show", "summarize") or words[:2] == ["pragma", "table_info"]:
        fact = NotAQuery(words[0], Wish.DESCRIPTION, table=_named(tokens))
    elif words[0] == "explain":
        query = _EXPLAINED.match(text, tokens[0].start)
        fact = NotAQuery(words[0], Wish.PLAN, query=query["query"] if query is not None else None)
    elif words[0] in ("pivot", "unpivot"):
        fact = NotAQuery(words[0], Wish.PIVOT)
    elif words[0] == "use":
        fact = NotAQuery(words[0], Wish.DEFAULT_SCHEMA)
    else:
        return Failure(NotOneQuery(), position=position)
    return Failure(fact, position=position)


def _named(tokens: list[Token]) -> str | None:
    """The table that `DESCRIBE t`, `SUMMARIZE s.t` or `SHOW COLUMNS FROM t` names, as SQL writes it."""
    words = [token.text.lower() for token in tokens[:3]]
    if words[:2] in (["show", "columns"], ["show", "create"]):
        rest = tokens[3:] if words[2:] in (["from"], ["in"], ["table"]) else []
    elif words[0] == "pragma":
        return quoted(tokens[3].text) if len(tokens) == 5 and words[2] == "(" else None
    else:
        rest = tokens[2:] if len(tokens) > 1 and tokens[1].token_type is TokenType.TABLE else tokens[1:]
    names, dots = rest[::2], rest[1::2]
    named = all(token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) for token in names)
    if len(rest) not in (1, 3) or not named or any(token.token_type is not TokenType.DOT for token in dots):
        return None
    return ".".join(quoted(token.text) for token in names)


def _syntax_error(error: ParseError, text: str) -> Failure:
    detail = error.errors[0] if error.errors else {}
    near = str(detail.get("highlight") or "")
    description = str(detail.get("description") or "").removeprefix("Invalid expression / ").removesuffix(".")
    offset = len(text[: text.find(near)]) if text.count(near) == 1 else _offset(text, detail, near)
    fact = Unparsable(near, description if "<" not in description else "")
    return Failure(fact, position=position_at(text, offset) if offset is not None else None)


def _offset(text: str, detail: dict[str, object], near: str) -> int | None:
    context = str(detail.get("start_context") or "") + near
    found = text.find(context) if context else -1
    return found + len(context) - len(near) if found >= 0 else None
