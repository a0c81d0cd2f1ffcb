"""Parameters of a statement: found in its tokens, put in as literals of the syntax tree, never as text."""

import math
from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.parameters import (
    MissingParameters,
    MixedPlaceholders,
    ParametersOtherwiseNamed,
    UnfitParameter,
    UnknownParameters,
)
from mcp_server.sql.dialect import PLACE
from mcp_server.sql.positions import position_at
from mcp_server.sql.trees import nodes

JsonValue = str | int | float | bool | list["JsonValue"] | dict[str, "JsonValue"] | None
Parameters = Sequence[JsonValue] | Mapping[str, JsonValue] | None

_OPERAND_ENDS = frozenset(
    {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.STRING,
        TokenType.NUMBER,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
        TokenType.R_BRACE,
        TokenType.L_BRACKET,
    }
)
"""What can stand before the `:` of a slice, a struct or a prefix alias, and never before a `:name`."""


def mark_parameters(tokens: Sequence[Token], text: str) -> list[Token]:
    """Writes `?`, `?1` and `:name` as `$1` and `$name`, so that the parser sees one form only.

    Positional parameters are either all `?`, counted from the left, or all numbered.
    """
    marked: list[Token] = []
    bare = 0
    numbered: Token | None = None
    position = 0
    while position < len(tokens):
        token = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        position += 1
        adjacent = following is not None and following.start == token.end + 1
        if token.token_type in (TokenType.PLACEHOLDER, TokenType.QDCOLON):
            marked.append(_like(token, TokenType.PARAMETER, "$"))
            if adjacent and following is not None and following.token_type is TokenType.NUMBER:
                numbered = numbered or token
            else:
                bare += 1
                marked.append(_like(token, TokenType.NUMBER, str(bare)))
            if token.token_type is TokenType.QDCOLON:
                marked.append(_like(token, TokenType.DCOLON, "::"))
        elif token.token_type is TokenType.PARAMETER and token.text == "$" and adjacent and following is not None:
            marked.append(token)
            if following.token_type is TokenType.NUMBER:
                numbered = numbered or token
            elif _is_word(following):
                marked.append(_like(following, TokenType.VAR, following.text))
                position += 1
        elif _is_colon_parameter(token, following, marked[-1] if marked else None) and following is not None:
            marked += (_like(token, TokenType.PARAMETER, "$"), _like(following, TokenType.VAR, following.text))
            position += 1
        else:
            marked.append(token)
    if bare and numbered is not None:
        raise Failure(MixedPlaceholders(), position=position_at(text, numbered.start))
    return marked


def _is_colon_parameter(token: Token, following: Token | None, previous: Token | None) -> bool:
    if token.token_type is not TokenType.COLON or following is None or following.start != token.end + 1:
        return False
    return _is_word(following) and (previous is None or previous.token_type not in _OPERAND_ENDS)


def _is_word(token: Token) -> bool:
    first = token.text[:1]
    return token.token_type is not TokenType.IDENTIFIER and (first.isalpha() or first == "_")


def _like(token: Token, token_type: TokenType, text: str) -> Token:
    return Token(token_type, text, token.line, token.col, token.start, token.end, token.comments)


def substitute(expression: exp.Expr, parameters: Parameters) -> exp.Expr:
    """Replaces every parameter by its value. Raises invalid_parameters unless they match one to one."""
    found = [(node, _name(node)) for node in nodes(expression) if isinstance(node, exp.Parameter | exp.Placeholder)]
    wanted = {name for _, name in found}
    given = by_name(parameters)
    by_position = not isinstance(parameters, Mapping)
    if parameters and any(name.isdecimal() != by_position for name in wanted):
        raise Failure(ParametersOtherwiseNamed())
    missing = sorted(wanted - given.keys())
    if missing:
        raise Failure(MissingParameters(tuple(missing)))
    extra = sorted(given.keys() - wanted)
    if extra:
        raise Failure(UnknownParameters(tuple(extra)))
    for node, name in found:
        literal = _literal(name, given[name])
        if PLACE in node.meta:
            literal.meta[PLACE] = node.meta[PLACE]
        if node is expression:
            return literal
        node.replace(literal)
    return expression


def _name(node: exp.Expr) -> str:
    return node.this if isinstance(node.this, str) else node.this.name


def by_name(parameters: Parameters) -> dict[str, JsonValue]:
    """The parameters by the names that a statement has for them."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    return {str(position): value for position, value in enumerate(parameters or (), start=1)}


def _literal(name: str, value: JsonValue) -> exp.Expr:
    match value:
        case None:
            return exp.Null()
        case bool():
            return exp.Boolean(this=value)
        case int() if abs(value) < 10**38:
            return _number(value < 0, str(abs(value)))
        case float() if math.isfinite(value):
            return _number(value < 0, repr(abs(value)))
        case str() if "\0" not in value:
            return exp.Literal.string(value)
    raise Failure(UnfitParameter(name))


def _number(negative: bool, digits: str) -> exp.Expr:
    literal = exp.Literal.number(digits)
    return exp.Paren(this=exp.Neg(this=literal)) if negative else literal
