r"""PostgreSQL's escape strings, `E'a\nb'`, which DuckDB reads too and the parser reads differently."""

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.texts import BadEscape
from mcp_server.sql.positions import position_at

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))|''|([^\\'])", re.DOTALL)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def decode_escape_strings(tokens: Sequence[Token], text: str) -> list[Token]:
    r"""Turns each escape string into the plain string that DuckDB makes of it.

    `\x41` and `\101` are bytes of UTF-8; `\u` has no meaning and is `u`. Raises syntax_error for bytes that are not
    UTF-8, and for NUL, as DuckDB does.
    """
    return [_decoded(token, text) if token.token_type is TokenType.BYTE_STRING else token for token in tokens]


def _decoded(token: Token, text: str) -> Token:
    source = text[token.start + 2 : token.end]
    try:
        value = b"".join(_bytes(match) for match in _ESCAPE.finditer(source)).decode()
    except (UnicodeDecodeError, ValueError):
        value = "\0"
    if "\0" in value:
        raise Failure(BadEscape(), position=position_at(text, token.start))
    return Token(TokenType.STRING, value, token.line, token.col, token.start, token.end, token.comments)


def _bytes(match: re.Match[str]) -> bytes:
    hexadecimal, octal, escaped, plain = match.groups()
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if octal is not None:
        return bytes([int(octal, 8)])
    if escaped is not None:
        return _SHORT.get(escaped, escaped).encode()
    return (plain if plain is not None else "'").encode()
