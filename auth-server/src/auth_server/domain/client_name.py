"""A client's self-chosen name, made safe to show."""

import unicodedata

NAME_LENGTH = 80
"""Longest client name kept, in characters."""
UNNAMED = "Unnamed client"
# Invisible, reordering, unassigned or private characters, and line separators: a name made of them can imitate another
# name or rearrange the sentence around it.
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_MOST_MARKS = 2


def safe_name(text: str) -> str:
    """The name on one line, of visible characters in their written order, at most NAME_LENGTH long; "" if none is left.

    Safe names stay as they are.
    """
    visible: list[str] = []
    marks = 0
    # The text may be huge; what is cut off anyway is never normalised.
    for char in unicodedata.normalize("NFC", text[: NAME_LENGTH * 20]):
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if char.isspace():
            visible.append(" ")
        elif category not in _HIDDEN and char not in _BLANK_LETTERS and marks <= _MOST_MARKS:
            visible.append(char)
    words = " ".join("".join(visible).split())
    return words if len(words) <= NAME_LENGTH else words[: NAME_LENGTH - 1].rstrip() + "…"
