"""The patterns of LIKE, taken apart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of plain text, or one wildcard: `%` or `_`."""

    text: str
    wildcard: str


def pattern_pieces(pattern: str, escape: str) -> list[Piece] | None:
    """A pattern's texts and wildcards in turn; None for a pattern that ends in its escape character.

    Without `escape` no character is special but the wildcards: DuckDB takes a backslash as it is.
    """
    pieces: list[Piece] = []
    escaped = False
    for character in pattern:
        if escape and character == escape and not escaped:
            escaped = True
            continue
        wildcard = character if character in "%_" and not escaped else ""
        escaped = False
        last = pieces[-1] if pieces else None
        if wildcard == "%" and last is not None and last.wildcard == "%":
            continue
        if not wildcard and last is not None and not last.wildcard:
            pieces[-1] = Piece(last.text + character, "")
        else:
            pieces.append(Piece("" if wildcard else character, wildcard))
    return None if escaped else pieces
