"""A statement of any dialect in pieces, so that one call in it can be written otherwise and the rest stays as it is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_PIECE = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^']|'')*')"
    r'|(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`)'
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign>[^\w\s]|\w)",
    re.DOTALL,
)
Edit = tuple[int, int, str]
"""What stands in the place of some characters."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, a quoted name, a number, a word or a sign, without the white space around it."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words, which are in small letters."""
        return self.kind == "word" and self.text.lower() in words


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands between two commas of a call: its text, with our functions in it, and the pieces it had before."""

    text: str
    pieces: tuple[Piece, ...]

    @property
    def only(self) -> Piece | None:
        """Its piece, if it is a single one."""
        return self.pieces[0] if len(self.pieces) == 1 else None


@dataclass(frozen=True, slots=True)
class Call:
    """A call in a statement: its name in small letters, its arguments, and its place."""

    name: str
    arguments: tuple[tuple[Piece, ...], ...]
    start: int
    end: int


def pieces(text: str) -> list[Piece]:
    """The pieces of a statement."""
    found = _PIECE.finditer(text)
    return [Piece(str(one.lastgroup), one[0], one.start(), one.end()) for one in found if one.lastgroup != "space"]


def closing(found: Sequence[Piece], opening: int) -> int | None:
    """The index of the bracket that closes the one at an index."""
    awaited = list[str]()
    for place in range(opening, len(found)):
        piece = found[place]
        if piece.kind != "sign":
            continue
        if piece.text in _CLOSING:
            awaited.append(_CLOSING[piece.text])
        elif piece.text in _CLOSING.values():
            if awaited.pop() != piece.text:
                return None
            if not awaited:
                return place
    return None


def outside_brackets(found: Sequence[Piece]) -> Iterator[int]:
    """The indexes of the pieces that no brackets enclose."""
    depth = 0
    for place, piece in enumerate(found):
        opens, closes = (piece.kind == "sign" and piece.text in signs for signs in ("([{", ")]}"))
        depth -= closes
        if depth == 0 and not opens and not closes:
            yield place
        depth += opens


def calls(found: Sequence[Piece]) -> Iterator[Call]:
    """The calls of a statement, the last first: those in the arguments of another come before it."""
    for place in range(len(found) - 2, -1, -1):
        name, opening = found[place], found[place + 1]
        if name.kind != "word" or opening.text != "(" or (place and found[place - 1].text == "."):
            continue
        end = closing(found, place + 1)
        if end is not None:
            yield Call(name.text.lower(), tuple(_arguments(found[place + 2 : end])), name.start, found[end].end)


def _arguments(inner: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    commas = [place for place in outside_brackets(inner) if inner[place].text == ","]
    for start, end in zip([-1, *commas], [*commas, len(inner)], strict=True):
        if end > start + 1:
            yield tuple(inner[start + 1 : end])


def edited(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """A part of a statement after edits, none of which overlap; those elsewhere do not matter."""
    written, at, end = "", start, len(text) if end is None else end
    for first, last, ours in sorted(edits):
        if start <= first and last <= end:
            written, at = f"{written}{text[at:first]}{ours}", last
    return written + text[at:end]
