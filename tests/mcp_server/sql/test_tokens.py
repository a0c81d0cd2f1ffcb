"""The tokens of plain texts are those of the parser's tokenizer, to the last place."""

import random

import pytest
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.tokens import plain_tokens
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.sql.test_same_results import STATEMENTS
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.random_sql.statements import Statements

EDITS = 3_000

PLAIN = [
    "SELECT 1",
    "select a.b, count(*) from t where x >= 1.5 and y <> 'it''s' group  by 1 order by \"a\"\"b\" desc;",
    "SELECT a->>'x'::int, b || c FROM t -- of all\n-- and\nWHERE id = $1 AND n = $name AND m = ?",
    "SELECT 'über', CAST(a AS DOUBLE), {'a': 1}, [1, 2][1] FROM t",
    "",
    "-- nothing",
]

OTHERS = [
    "SELECT /* all */ 1",
    "SELECT E'a\\n'",
    "SELECT N'a'",
    "SELECT 'a\nb'",
    "SELECT 0x1F, 1",
    "SELECT 1e5",
    "SELECT 1_000",
    "SELECT a FROM t GROUP\nBY a",
    "SELECT CAST(a AS DOUBLE PRECISION)",
    "SELECT a FROM t FETCH FIRST ROW ONLY",
    "SELECT straße FROM t",
    "SELECT 'a",
    "SELECT $1.5",
    "SELECT x\n-- a\n;",
]
"""What the parser's tokenizer is left with."""

PIECES = [
    *"aexN019_ \n\t()[],.;+-*/%=<>!|&^:~?@#{}'\"$\\`é\r\x0b\xa0ı",
    *("group by", "order  by", "GROUP\nby", "partıtion by", "double precision", "char", "fetch", "execute", "begin"),
    *("user-defined", "similar to", "e'a'", "$1", "1e5", "1.5", "0x1F", "1_000", "--", "/*", "*/", "{%", "::", "->>"),
]


def _told(tokens: list[Token]) -> list[tuple[object, ...]]:
    return [(one.token_type, one.text, one.line, one.col, one.start, one.end, one.comments) for one in tokens]


def is_plain(text: str) -> bool:
    """Whether a text is, once its tokens have turned out to be the tokenizer's."""
    ours = plain_tokens(text)
    if ours is None:
        return False
    try:
        assert _told(ours) == _told(Dialect().tokenize(text)), text
    except TokenError:
        pytest.fail(f"the tokenizer refuses {text!r}")
    return True


@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", OTHERS)
def test_others_are_left_to_the_tokenizer(text: str) -> None:
    assert not is_plain(text)


def test_the_statements_of_tpc_h_are_plain() -> None:
    assert all(is_plain(path.read_text("utf-8")) for path in QUERIES)


def test_statements_and_what_slips_of_the_pen_make_of_them() -> None:
    drawn = random.Random("tokens")
    statements = Statements(drawn, RANDOM_TABLES, names=["j"])
    texts = [*STATEMENTS, *(statements.next() for _ in range(100)), *(path.read_text("utf-8") for path in QUERIES)]
    plain = {is_plain(text) for text in texts}
    for _ in range(EDITS):
        text = drawn.choice([drawn.choice(texts)[: drawn.randrange(300)], drawn.choice(PIECES)])
        for _ in range(drawn.randrange(1, 5)):
            place = drawn.randrange(len(text) + 1)
            text = text[:place] + drawn.choice(PIECES) + text[place + drawn.randrange(2) :]
        plain.add(is_plain(text))

    assert plain == {True, False}


@pytest.mark.parametrize("text", ["'" * 65_535, '"' * 65_535, " " * 65_000 + "é", "group " * 9_000 + "'"])
def test_long_texts_are_given_up_in_one_pass(text: str) -> None:
    assert not is_plain(text)
