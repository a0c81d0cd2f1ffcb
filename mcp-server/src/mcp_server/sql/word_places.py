"""Where in a text the words stand of which the syntax tree keeps no place."""

from collections.abc import Sequence
from itertools import pairwise

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.domain.failures import Position
from mcp_server.domain.names import fold
from mcp_server.sql.dialect import Dialect
from mcp_server.sql.positions import position_at, position_of
from mcp_server.sql.tokens import plain_tokens

_SET_OPERATIONS = frozenset({TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT})
_LOCKS = frozenset({"UPDATE", "SHARE", "NO", "KEY"})


def place_of_parameter(tokens: Sequence[Token], name: str, text: str) -> Position | None:
    """Where a parameter first stands, among tokens in which all are written as `$name`."""
    for sign, named in pairwise(tokens):
        if sign.token_type is TokenType.PARAMETER and named.text == name:
            return position_at(text, sign.start)
    return None


def place_of_lock(text: str) -> Position | None:
    """Where `FOR UPDATE` and the like stands."""
    tokens = _tokens(text)
    pairs = pairwise(tokens)
    return _only(text, [one for one, next_ in pairs if one.text.upper() == "FOR" and next_.text.upper() in _LOCKS])


def place_of_ordinal(text: str, number: int) -> Position | None:
    """Where ORDER BY or GROUP BY names a column of the result by its number."""
    tokens = _tokens(text)
    pairs = pairwise(tokens)
    found = [
        one
        for before, one in pairs
        if one.token_type is TokenType.NUMBER
        and one.text == str(number)
        and (before.token_type is TokenType.COMMA or before.text.upper().endswith("BY"))
    ]
    return _only(text, found)


def place_of_window(text: str, query: exp.Expr, name: str) -> Position | None:
    """Where a window is first named."""
    aliases = (node.args.get("alias") for node in query.find_all(exp.Window))
    found = next((one for one in aliases if isinstance(one, exp.Identifier) and fold(one.name) == fold(name)), None)
    return position_of(text, found) if found is not None else None


def place_of_set_operation(text: str, query: exp.Expr) -> Position | None:
    """Where the set operation stands, or of several the right side of the one whose sides differ in their number."""
    found = [token for token in _tokens(text) if token.token_type in _SET_OPERATIONS]
    if len(found) < 2:
        return _only(text, found)
    uneven = [one for one in query.find_all(exp.SetOperation) if _width(one.this) != _width(one.expression)]
    known = [one for one in uneven if _width(one.this) and _width(one.expression)]
    return position_of(text, known[0].expression) if len(known) == 1 else None


def _width(side: exp.Expr) -> int:
    """How many columns a side gives; 0 where a star does not tell."""
    side = side.unnest()
    while isinstance(side, exp.SetOperation):
        side = side.this.unnest()
    if not isinstance(side, exp.Select) or any(one.is_star for one in side.expressions):
        return 0
    return len(side.expressions)


def _tokens(text: str) -> list[Token]:
    try:
        return plain_tokens(text) or list(Dialect().tokenize(text))
    except TokenError:
        return []


def _only(text: str, found: Sequence[Token]) -> Position | None:
    return position_at(text, found[0].start) if len(found) == 1 else None
