"""The patterns of LIKE and GLOB, taken apart."""

import re
from collections.abc import Sequence
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


def glob_pieces(pattern: str) -> list[Piece] | None:
    """The same of a pattern of GLOB; None of one with sets of characters, or with a backslash."""
    if any(character in "[]\\" for character in pattern):
        return None
    parts = (part for part in re.split(r"(\*+|\?)", pattern) if part)
    return [Piece("", "%" if part[0] == "*" else "_") if part[0] in "*?" else Piece(part, "") for part in parts]


def matching(pieces: Sequence[Piece], *, ignore_case: bool) -> re.Pattern[str]:
    """A regular expression that a text matches as a whole exactly if the pattern of LIKE does, in linear time each.

    What stands between two `%` is taken where it comes first, which is never worse: no group is entered again.
    """
    runs: list[str] = [""]
    for piece in pieces:
        if piece.wildcard == "%":
            runs.append("")
        else:
            runs[-1] += "." if piece.wildcard else re.escape(piece.text)
    first, *between = runs
    if between:
        *between, last = between
        first += "".join(f"(?>.*?{run})" for run in between) + f".*{last}"
    return re.compile(first, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
