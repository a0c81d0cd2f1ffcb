"""Names that strangers chose, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from auth_server.domain.client_name import NAME_LENGTH, imitates, mixes_alphabets, safe_name


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("Ünïcödé 日本語 😀", "Ünïcödé 日本語 😀"),
        ("  two\n\tlines ", "two lines"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("Cla\u200bude\ufeff", "Claude"),
        ("a\u2028b", "a b"),
        ("\u3164\u115f", ""),
        ("\u200b", ""),
        ("", ""),
        ("Z" + "\u0301" * 50, "Ź\u0301\u0301"),
        ("x" * 500, "x" * 79 + "…"),
    ],
)
def test_b10_a_name_is_one_bounded_line_of_visible_characters(given_name: str, shown: str) -> None:
    assert safe_name(given_name) == shown


@pytest.mark.parametrize(
    "name",
    ["DynamoSQL", "dynamosql", "Dynamo SQL", "The DynamoSQL app", "Dynamo-SQL Support", "DynamoSQL\u0301",
     "ＤｙｎａｍｏＳＱＬ",
     "DynаmоSQL", "Dуnamο5QL", "DYNAM0SQL", "DynamoSQI", "DynarnoSQL", "𝐃𝐲𝐧𝐚𝐦𝐨SQL", "Dynaｍo🚀SQL"],
)  # fmt: skip
def test_b10_a_name_that_reads_like_the_brand_imitates_it(name: str) -> None:
    assert imitates(safe_name(name), "DynamoSQL")


@pytest.mark.parametrize(
    "name", ["Claude Code", "Dynamo", "SQL Explorer", "MCP Inspector", "データ", "Клод", "", "!!!"]
)
def test_b10_other_names_do_not(name: str) -> None:
    assert not imitates(name, "DynamoSQL")


@pytest.mark.parametrize(("name", "imitating"), [("Go", True), ("Go SQL", True), ("Google", False), ("Mongo", False)])
def test_b10_a_short_brand_must_be_a_word_of_its_own(name: str, imitating: bool) -> None:
    assert imitates(name, "Go") is imitating


@pytest.mark.parametrize("name", ["Clаude Code", "Сursor", "ChatGΡT", "Codеx", "Cursοr", "Gemіnі", "Ꭰiscord"])
def test_b10_a_name_of_several_alphabets_is_noticed(name: str) -> None:
    assert mixes_alphabets(name)


@pytest.mark.parametrize(
    "name",
    [
        "Claude Code",
        "Ünïcödé 日本語 😀",
        "Клод",
        "Яндекс 2",
        "Ελληνικά",
        "日本語 ひらがな カタカナ",
        "한국어 VS Code",
        "µ-tool",
        "",
    ],
)
def test_b10_a_name_of_one_alphabet_is_not(name: str) -> None:
    assert not mixes_alphabets(name)


@given(some.text(max_size=200))
def test_b10_no_name_is_long_or_rearranges_its_surroundings(text: str) -> None:
    shown = safe_name(text)
    assert 0 <= len(shown) <= NAME_LENGTH
    assert shown.isprintable()
    assert safe_name(shown) == shown
