"""Every fact has its words, and every code its facts."""

import ast
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest

import mcp_server
from mcp_server.domain import failures
from mcp_server.domain.failures import Fact, Failure, FailureCode, Meant, Position
from mcp_server.domain.failures.columns import Pseudocolumn, UnknownColumn
from mcp_server.domain.failures.functions import Growing
from mcp_server.domain.failures.syntax import NotAQuery, Unsupported, UnsupportedSyntax, Wish
from mcp_server.domain.failures.texts import NestedTooDeeply
from mcp_server.domain.failures.values import NotEvaluated, Trouble
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.words import Words
from tests.mcp_server.surface.wording.every_fact import WORDS
from tests.mcp_server.surface.wording.words_of_names import NAMES
from tests.mcp_server.surface.wording.words_of_statements import FUNCTIONS, SYNTAX
from tests.mcp_server.surface.wording.words_of_values import VALUES

SOURCES = Path(mcp_server.__file__).parent
TOOLS = {"list_schemas", "list_tables", "describe_table", "run_sql", "explain_sql"}


def _declared() -> Iterator[type]:
    """The classes of the package with a code."""
    for module in pkgutil.iter_modules(failures.__path__):
        found = importlib.import_module(f"{failures.__name__}.{module.name}")
        yield from (one for one in vars(found).values() if isinstance(one, type) and hasattr(one, "code"))


@pytest.mark.parametrize(("fact", "message", "next_action"), WORDS, ids=lambda value: str(value)[:60])
def test_the_words_of_a_fact(fact: Fact, message: str, next_action: str) -> None:
    """We chose them; clients and operators may look for a text, so that a change is to be a decision."""
    assert worded(Failure(fact, retry_after_seconds=5)) == Words(message, next_action)


def test_every_fact_has_its_words() -> None:
    assert {type(fact) for fact, _, _ in WORDS} == set(get_args(Fact)) == set(_declared())


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (Unsupported, {fact.kind for fact, _, _ in SYNTAX if isinstance(fact, UnsupportedSyntax)}),
        (Wish, {fact.wish for fact, _, _ in SYNTAX if isinstance(fact, NotAQuery)}),
        (Growing, {getattr(fact, "function", None) for fact, _, _ in FUNCTIONS}),
        (Pseudocolumn, {fact.hint for fact, _, _ in NAMES if isinstance(fact, UnknownColumn)}),
        (Trouble, {fact.trouble for fact, _, _ in VALUES if isinstance(fact, NotEvaluated)}),
    ],
)
def test_every_kind_that_a_fact_may_be_of_has_its_words(kinds: type[Enum], told: set[Any]) -> None:
    assert set(kinds) <= told


def test_every_code_has_a_fact() -> None:
    assert {fact.code for fact in get_args(Fact)} == set(FailureCode)


def test_facts_are_values() -> None:
    """They can be compared, kept in sets and sent to another process, and hold nothing but data."""
    for fact, _, _ in WORDS:
        assert is_dataclass(fact)
        assert not hasattr(fact, "__dict__")
        assert hash(fact) == hash(pickle.loads(pickle.dumps(fact)))
        for field in fields(fact):
            with pytest.raises(AttributeError):
                setattr(fact, field.name, None)


def test_a_failure_survives_the_way_to_another_process() -> None:
    for fact, _, _ in WORDS:
        failure = Failure(fact, position=Position(2, 7), retry_after_seconds=5, meant=Meant("SELECT 1", "keyword"))
        again = pickle.loads(pickle.dumps(failure))
        assert vars(again) == vars(failure)
        assert worded(again) == worded(failure)


@pytest.mark.parametrize(
    ("meant", "next_action"),
    [
        (Meant("SELECT 1"), "Break it up with CTEs or shorten it."),
        (Meant("SELECT 1", "keyword"), "Did you mean: SELECT 1"),
        (Meant("SELECT 1", "function"), "In DuckDB's dialect this is: SELECT 1"),
        (Meant("SELECT 1", "dialect", "MySQL"), "If this is MySQL's SQL, in DuckDB's dialect it is: SELECT 1"),
    ],
)
def test_the_statement_that_is_meant_takes_the_place_of_advice(meant: Meant, next_action: str) -> None:
    words = Words("The statement is nested too deeply.", next_action)
    assert worded(Failure(NestedTooDeeply(), meant=meant)) == words


@pytest.mark.parametrize("layer", ["domain", "access", "planning", "sql", "ports", "engine", "adapters"])
def test_only_the_surface_knows_tools(layer: str) -> None:
    """Docstrings may speak of them."""
    for path in (SOURCES / layer).rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
        named = [text for text in texts if isinstance(text, str) and any(tool in text for tool in TOOLS)]
        assert not named, path
