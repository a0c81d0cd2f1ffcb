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


# Alphabets with letters that look alike. Han, kana and Hangul stand beside Latin in honest names, and look like none.
_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "LISU", "TIFINAGH"})
_LOOKALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian, Cherokee, and Latin's own small capitals.
    "АВЕКМНОРСТУХЅІЈԚԜҮӀавекмнорстухѕіјԁԛԝӏьһгүөΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεηικμνορτυχωσςՕՏԼօոսհցզᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏆᏚᏞᏟᏢᏦıɑɡʟɴᴀᴅᴇᴍᴏꜱᴛʏ",
    "ABEKMHOPCTYXSIJQWYIabekmhopctyxsijdqwlbhryoABEZHIKMNOPTYXabyenikmvoptuxwosOSLonuhgqDRTAJEWMHGZISLCPKiaglnademosty",
)
_LOOKALIKE_DIGITS = str.maketrans("0135|i", "olesll")
_MARK = "M"
_SHORT_BRAND = 4


def imitates(name: str, brand: str) -> bool:
    """Whether a name reads like one with the brand in it, in whatever letters it is written.

    A brand of fewer than four characters must be a word of its own in the name.
    """
    words, wanted = _skeleton(name), "".join(_skeleton(brand))
    return wanted in words if len(wanted) < _SHORT_BRAND else wanted in "".join(words)


def mixes_alphabets(name: str) -> bool:
    """Whether a name's letters come from several alphabets that look alike (as Unicode TS 39 §5.2 restricts)."""
    found = {unicodedata.name(char, "").partition(" ")[0] for char in name if char.isalpha()}
    return len(found & _ALPHABETS) > 1


def _skeleton(text: str) -> list[str]:
    """The words of a text, with letters that look alike written alike (in the manner of Unicode TS 39 §4)."""
    plain = unicodedata.normalize("NFKD", text).translate(_LOOKALIKES).casefold().translate(_LOOKALIKE_DIGITS)
    kept = (char for char in plain if not unicodedata.category(char).startswith(_MARK))
    words = "".join(char if char.isalnum() else " " for char in kept).split()
    return [word.replace("rn", "m").replace("vv", "w") for word in words]
