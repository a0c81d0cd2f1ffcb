"""Words and numbers that are unmistakable, and the search for them in whatever a server says, however it is written."""

import base64
import random
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

GRAM = 9
"""So many characters of a canary in a row are a find: masks may show four, and chance does not make nine."""
_LETTERS = "bcdfghjkmnpqrtvwxz"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(r"[0-9A-Fa-f]{18,}")
_ESCAPED = re.compile(r"\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_GROUPED = re.compile(r"(?<=[0-9])[,._ '](?=[0-9])")
_DEPTH = 2
"""How many writings may lie one in the other: the base64 of a base64, the hexadecimal digits of a JSON text."""


class Mint:
    """Makes canaries: the same ones from the same seed, never one twice."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)
        self._made: set[str] = set()

    def word(self) -> str:
        """Twelve letters that begin with `zq`, fit for names and values."""
        return self._new(lambda: "zq" + "".join(self._dice.choices(_LETTERS, k=10)))

    def number(self) -> str:
        """A whole number of twelve digits, as DynamoDB writes it."""
        return self._new(lambda: "7" + "".join(self._dice.choices("123456789", k=11)))

    def _new(self, make: Callable[[], str]) -> str:
        made = make()
        while made in self._made:
            made = make()
        self._made.add(made)
        return made


class Search:
    """Finds canaries; each comes with what it is, for the report."""

    def __init__(self, canaries: Mapping[str, str]) -> None:
        self.told = dict(canaries)
        self._grams = {
            way[start : start + GRAM].lower(): one
            for one in canaries
            for way in (one, one[::-1])
            for start in range(len(one) - GRAM + 1)
        }

    def found(self, text: str) -> set[str]:
        """The canaries of which a telling part stands in a text, in one of many writings."""
        return {one for reading in set(_readings(text, _DEPTH)) for one in self._standing(reading.lower())}

    def _standing(self, text: str) -> set[str]:
        ways = {text, _GROUPED.sub("", text)}
        grams = {way[start : start + GRAM] for way in ways for start in range(len(way) - GRAM + 1)}
        return {self._grams[gram] for gram in grams & self._grams.keys()}


def _readings(text: str, depth: int) -> Iterator[str]:
    """A text, and all that it may be the writing of."""
    yield text
    if depth and sum(map(str.isprintable, text)) > len(text) / 2:  # what is mostly noise is no writing of anything
        for written in {_unescaped(text), unquote(text), *_from_base64(text), *_from_hex(text)} - {text}:
            yield from _readings(written, depth - 1)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), text)


def _from_base64(text: str) -> Iterator[str]:
    """What runs of its letters say, whichever of four letters a group begins at."""
    for match in _BASE64.finditer(text):
        for shift in range(4):
            run = match[0][shift:].replace("-", "+").replace("_", "/")
            run = run[: len(run) - len(run) % 4]
            yield base64.b64decode(run).decode("latin-1")


def _from_hex(text: str) -> Iterator[str]:
    for match in _HEX.finditer(text):
        for shift in range(2):
            run = match[0][shift:]
            yield bytes.fromhex(run[: len(run) - len(run) % 2]).decode("latin-1")
