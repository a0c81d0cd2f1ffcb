"""What strangers wrote, made fit to be read by people."""

import unicodedata

NAME_LIMIT = 60
"""Longest name shown, in characters."""

# Invisible, reordering, unassigned or private characters, and line separators: a name made of them can imitate another
# name or rearrange the sentence around it.
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_MOST_MARKS = 2


def name(text: str) -> str:
    """A name on one line, of visible characters in their written order, at most NAME_LIMIT long."""
    shown: list[str] = []
    marks = 0
    # The source may be huge; what is cut off anyway is never normalised.
    for char in unicodedata.normalize("NFC", text[: NAME_LIMIT * 20]):
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if category == "Cc" and char.isspace():
            shown.append(" ")
        elif category not in _UNSHOWN and char not in _BLANK_LETTERS and marks <= _MOST_MARKS:
            shown.append(char)
    words = " ".join("".join(shown).split())
    if not words:
        return "An app without a name"
    return words if len(words) <= NAME_LIMIT else words[: NAME_LIMIT - 1].rstrip() + "…"
