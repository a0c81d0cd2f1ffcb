"""One text for all spellings of a statement that parse to the same tree: plans are kept under it.

Spellings differ in white space, in comments, and in the case of the words that are never names. The names of a result's
columns come from the tree, so they are the same; positions come from the text, so they are never those of another.
"""

import re
from typing import Final

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.parse import Statement

FOLDED: Final = frozenset((
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "LIKE", "EXISTS", "CASE", "WHEN",
    "THEN", "ELSE", "END", "AS", "ON", "JOIN", "GROUP", "ORDER", "BY", "HAVING", "LIMIT", "UNION", "ALL",
    "DISTINCT", "WITH", "ASC", "DESC",
))  # fmt: skip
"""Words whose case is left out; a statement that has one of them for a name is not `folds`."""

_KEPT = re.compile(r"""('(?:[^']|'')*+'|"(?:[^"]|"")*+"|--[^\n]*+)""")
"""Texts and quoted names, which stay as they are, and comments."""
_BLANK = re.compile(r"[ \n\t]+")
_WORD = re.compile(rf"(?<![^ (),])[A-Za-z]{{2,{max(map(len, FOLDED))}}}+(?![^ (),;])")
_UNUSUAL = re.compile(r"[\\\r\x00-\x08\x0b-\x1f\ud800-\udfff§]|/\*|\{[{#%]|[+*/%=<>!|&^:~?@#{}]--")
"""What the tokenizer may read in its own way, or the gate refuses even in a comment."""

_FIRST_WORDS = frozenset(
    word for keyword in Dialect.Tokenizer.KEYWORDS for word in re.split(r"[ -]", keyword)[:-1] if word.isalpha()
)
"""Beginnings of keywords that the tokenizer takes for one with what follows, if no comment is between."""
_LONGEST = 1 + max(map(len, _FIRST_WORDS))
_LAST_WORD = re.compile(r"\w+\Z")

MARK: Final = "\x01"
"""What canonical texts begin with and the gate refuses, so that none is a text that was sent."""


def canonical_text(text: str) -> str | None:
    """The text for all spellings; None of a text that is only kept as it is."""
    if _UNUSUAL.search(text) is not None:
        return None
    kept = _KEPT.split(text)
    pieces, between = [MARK], kept[0]
    for place in range(1, len(kept), 2):
        piece = kept[place]
        if piece[0] != "-":
            pieces += (_folded(between), piece)
            between = kept[place + 1]
        elif _last_word(between) in _FIRST_WORDS:
            return None
        else:
            between += "\n" + kept[place + 1]
    pieces.append(_folded(between).rstrip(" "))
    pieces[1] = pieces[1].lstrip(" ")
    return "".join(pieces) if all("'" not in one and '"' not in one for one in pieces[1::2]) else None


def _folded(code: str) -> str:
    """What is between quotes. The parser asks whether something is between two tokens, but not beside these three."""
    blank = _BLANK.sub(" ", code).replace(" ,", ",").replace(", ", ",").replace("( ", "(").replace(" )", ")")
    return _WORD.sub(_upper, blank)


def _last_word(code: str) -> str | None:
    """The word that code ends with; of a long one, its end."""
    found = _LAST_WORD.search(code.rstrip(" \n\t")[-_LONGEST:])
    return found[0].upper() if found is not None else None


def _upper(word: re.Match[str]) -> str:
    upper = word[0].upper()
    return upper if upper in FOLDED else word[0]


def folds(statement: Statement) -> bool:
    """Whether none of the words whose case its canonical text leaves out is in the tree of a statement."""
    return not any(
        isinstance(name := node.args.get("this"), str) and name.upper() in FOLDED for node in statement.nodes
    )
