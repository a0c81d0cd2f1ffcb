"""The search for canaries finds what it has to find: else the tests that use it could not fail."""

import base64
import json
from collections.abc import Callable

import pytest

from tests.mcp_server.isolation.canaries import Mint, Search

MINT = Mint("search")
WORD, NUMBER, OTHER = MINT.word(), MINT.number(), MINT.word()
SEARCH = Search({WORD: "a word", NUMBER: "a number"})

WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "backwards": lambda text: text[::-1],
    "in a sentence": lambda text: f'Did you mean "{text}"?',
    "in an error's text": lambda text: f"Could not convert string '{text}' to INT32",
    "all but its ends": lambda text: text[1:-1],
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal after an odd digit": lambda text: "5" + f"x{text}".encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 within a cursor": lambda text: "cur2_" + base64.urlsafe_b64encode(f"[1,{text!r}]??".encode()).decode(),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(f"a {text}".encode())).decode(),
    "percent signs": lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    "escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "JSON in JSON": lambda text: json.dumps({"a": json.dumps([text])}),
}


@pytest.mark.parametrize("canary", [WORD, NUMBER], ids=["word", "number"])
@pytest.mark.parametrize("writing", WRITINGS)
def test_a_canary_is_found_in_every_writing(writing: str, canary: str) -> None:
    """We chose the writings: those that SQL, JSON, URLs and error texts give a value."""
    written = WRITINGS[writing](canary)
    assert SEARCH.found(json.dumps({"rows": [[1, written]], "warnings": []})) == {canary}


@pytest.mark.parametrize(
    "written", [f"{int(NUMBER):,}", f"{int(NUMBER) / 100}", f"{int(NUMBER):.11e}", f"{NUMBER}.00", f"-{NUMBER}"]
)
def test_a_number_is_found_with_separators_and_exponents(written: str) -> None:
    assert SEARCH.found(f"It is {written}.") == {NUMBER}


def test_what_is_no_canary_is_not_found() -> None:
    text = f"{OTHER} {WORD[:8]} {NUMBER[:8]} {base64.b64encode(bytes(range(256))).decode()}"
    assert SEARCH.found(text) == set()


def test_a_seed_makes_the_same_canaries_again_and_none_twice() -> None:
    one, same, other = Mint("a"), Mint("a"), Mint("b")
    words = [one.word() for _ in range(500)]
    assert words == [same.word() for _ in range(500)]
    assert len({*words}) == 500
    assert not {other.word() for _ in range(500)} & {*words}
