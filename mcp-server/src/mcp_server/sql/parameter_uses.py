"""Statements that use a parameter more than once, written with one of its own for each use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.domain.failures import Failure
from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.parameters import JsonValue, Parameters, by_name, mark_parameters
from mcp_server.sql.tokens import plain_tokens


@dataclass(frozen=True, slots=True)
class ParameterUses:
    """A text with `$1`, `$2` and so on where each use of a parameter stands, and which parameter that was."""

    text: str
    names: tuple[str, ...]

    def values(self, parameters: Parameters) -> tuple[JsonValue, ...] | None:
        """A value for each use; None unless the parameters are those that are used, which the gate then says."""
        by_position, given = not isinstance(parameters, Mapping), by_name(parameters)
        if given.keys() != {*self.names} or any(name.isdecimal() != by_position for name in self.names):
            return None
        return tuple(given[name] for name in self.names)


def parameter_uses(text: str) -> ParameterUses | None:
    """The uses of a text's parameters, None where none is used twice."""
    try:
        plain = plain_tokens(text)
        tokens = mark_parameters(list(Dialect().tokenize(text)) if plain is None else plain, text)
    except (TokenError, Failure):
        return None
    found = _uses(tokens)
    names = tuple(used.text for _, used in found or ())
    if len({*names}) == len(names):
        return None
    pieces: list[str] = []
    end = 0
    for number, (marker, used) in enumerate(found or (), start=1):
        pieces += (text[end : marker.start], f"${number}")
        end = used.end + 1
    return ParameterUses("".join((*pieces, text[end:])), names)


def _uses(tokens: Sequence[Token]) -> list[tuple[Token, Token]] | None:
    """Each `$` with the name or number behind it; None where something else is behind one."""
    found: list[tuple[Token, Token]] = []
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.PARAMETER:
            behind = tokens[place + 1] if place + 1 < len(tokens) else token
            if token.text != "$" or behind.token_type not in (TokenType.NUMBER, TokenType.VAR):
                return None
            found.append((token, behind))
    return found
