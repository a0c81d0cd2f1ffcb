"""Texts of one canonical text are one statement: they parse to the same tree, or are refused alike."""

import random
import re

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.sql.canonical_text import FOLDED, canonical_text, folds
from mcp_server.sql.gate.parse import parse
from mcp_server.sql.trees import copied
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.sql.test_same_results import STATEMENTS
from tests.mcp_server.sql.test_tokens import PIECES, PLAIN
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.random_sql.statements import Statements

EDITS = 100
BLANKS = (" ", "  ", "\n", "\t\n ", ' -- it\'s a "comment"\n', "\n-- one\n--two\n   ")
KEPT = re.compile(r"""('(?:[^']|'')*+'|"(?:[^"]|"")*+"|--[^\n]*)""")

ALIKE = [
    ("SELECT a FROM t", "select a\nfrom   t"),
    ("SELECT a FROM t", "\n-- it's all\nSELECT a -- \"of\n--it\nFROM t -- end"),
    ("SELECT f(a, b), (c) FROM t", "SELECT f( a,b ),( c ) FROM t"),
    ("SELECT a FROM t GROUP BY a", "SELECT a FROM t group\n  by a"),
    ("SELECT 'a -- b' AS x", "select 'a -- b'\tas x"),
]

APART = [
    ("SELECT a FROM t", "SELECT A FROM t"),
    ("SELECT a FROM t", "SELECT a FROM T"),
    ("SELECT 'a  b'", "SELECT 'a b'"),
    ("SELECT 'a\nb'", "SELECT 'a b'"),
    ("SELECT 'from'", "SELECT 'FROM'"),
    ('SELECT "from" FROM t', 'SELECT "FROM" FROM t'),
    ('SELECT a "x  y" FROM t', 'SELECT a "x y" FROM t'),
    ("SELECT $from", "SELECT $FROM"),
    ("SELECT :from", "SELECT :FROM"),
    ("SELECT a.from FROM t", "SELECT a.FROM FROM t"),
    ("SELECT a FROM order$1", "SELECT a FROM ORDER$1"),
    ("SELECT 1 - -1", "SELECT 1 --1"),
    ("SELECT a < = 1", "SELECT a <= 1"),
    ("SELECT a FROM t GROUP BY a", "SELECT a FROM t GROUP -- ing\n BY a"),
    ("SELECT 1", "SELECT 1 /* one */"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_spellings_of_a_statement_have_one_text(one: str, other: str) -> None:
    assert canonical_text(one) == canonical_text(other) is not None


@pytest.mark.parametrize(("one", "other"), APART)
def test_other_statements_have_other_texts(one: str, other: str) -> None:
    assert (canonical_text(one) or one) != (canonical_text(other) or other)


@pytest.mark.parametrize(
    "text", ["SELECT 1 \x0b", "SELECT 1 -- \x01", "SELECT 1 -- \ud800", "SELECT '", 'SELECT 1 "', "SELECT E'\\''", "\r"]
)
def test_texts_that_the_gate_may_refuse_are_kept_as_they_are(text: str) -> None:
    assert canonical_text(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SELECT a AS b FROM t", True), ("SELECT 1 AS From", False), ("SELECT 1 AS else", False), ("SELECT 'and'", False)],
)
def test_words_that_are_names_do_not_fold(text: str, expected: bool) -> None:
    assert folds(parse(text, None)) is expected


def test_no_canonical_text_is_a_statement() -> None:
    text = canonical_text("SELECT 1")
    assert text is not None
    with pytest.raises(Failure):
        parse(text, None)


def test_respelt_statements_and_slips_of_the_pen() -> None:
    """Whatever is found under the text of another statement is that statement, with the names that it writes."""
    drawn = random.Random("canonical")
    statements = Statements(drawn, RANDOM_TABLES, names=["j"])
    texts = [*STATEMENTS, *PLAIN, *(statements.next() for _ in range(40))]
    texts += [path.read_text("utf-8") for path in QUERIES]
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        for spelling in (text, *(_respelt(text, drawn) for _ in range(2))):
            _add(found, spelling)
    shared = sum(len(spellings) > 1 for spellings in found.values())
    for _ in range(EDITS):
        text = drawn.choice(texts)[: drawn.randrange(300)]
        for _ in range(drawn.randrange(1, 4)):
            place = drawn.randrange(len(text) + 1)
            text = text[:place] + drawn.choice(PIECES) + text[place + drawn.randrange(2) :]
        _add(found, text)
        _add(found, _respelt(text, drawn))

    assert shared > 200
    for canonical, spellings in found.items():
        assert len(set(spellings.values())) <= 1, (canonical, spellings)


def _add(found: dict[str, dict[str, str]], text: str) -> None:
    canonical = canonical_text(text)
    if canonical is None:
        return
    spellings = found.setdefault(canonical, {})
    if text not in spellings:
        outcome = _outcome(text)
        if outcome is not None:
            spellings[text] = outcome


def _outcome(text: str) -> str | None:
    """The tree of a statement, `refused`, or None of one that is only found as it is written."""
    try:
        statement = parse(text, None)
    except Failure:
        return "refused"
    return f"{copied(statement.expression)!r} {sorted(map(repr, statement.tables))}" if folds(statement) else None


def _respelt(text: str, drawn: random.Random) -> str:
    """The text with other blanks, and words of other case."""
    parts = KEPT.split(text)
    for place in range(0, len(parts), 2):
        blank = re.sub(r"[ \t\n]+", lambda _: drawn.choice(BLANKS), parts[place])
        parts[place] = re.sub(r"\w+", lambda word: _recased(word[0], drawn), blank)
    return "".join(parts)


def _recased(word: str, drawn: random.Random) -> str:
    return drawn.choice((word.upper(), word.lower(), word)) if word.upper() in FOLDED else word
