"""docs/attacks.md and the tests that bear its numbers agree, both ways.

A test bears a number in its name (`test_c07_c08_…`) or in the id of a case (`id="a16-no-pkce"`, `"F01 alg none"`).
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from tests.support.processes import REPOSITORY

TABLES = REPOSITORY / "docs/attacks.md"
PUBLISHED, OURS = 202, {"A43", "F25", "I21", "I22", "I23"}
"""How many numbers the checklist has that these come from, and those that we have added to it."""
RUNNING = ("tests/attacks/", "tests/system/", "tests/judges/", "tests/auth_server/browser/")
"""Where tests attack running servers, over HTTP."""
IN_NAME = re.compile(r"test_((?:[a-i]\d\d_)+)")
IN_CASE = re.compile(r"([a-iA-I]\d\d)[- ]")
BEARING = re.compile(rf"{IN_NAME.pattern}|[\"']{IN_CASE.pattern}")
"""What a module holds whose tests bear numbers; to parse all the others takes seconds."""
SECTION = re.compile(r"^## ([A-I]): .+ \(\1(\d\d)–\1(\d\d)\)$", re.MULTILINE)
ROW = re.compile(r"^\| ([A-I]\d\d) \| (.+?) \| (.+?) \| (.+?) \|(.*)\|$", re.MULTILINE)

Bearers = Mapping[str, set[str]]


@cache
def bearers() -> Bearers:
    """The tests that bear each number, as `path::name`."""
    found = defaultdict(set)
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        text = path.read_text("utf-8")
        if not BEARING.search(text):
            continue
        tree = ast.parse(text)
        assigned = {
            target.id: statement.value
            for statement in tree.body
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
            if isinstance(target, ast.Name)
        }
        for function in _defined(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and function.name.startswith("test_"):
                test = f"{path.relative_to(REPOSITORY)}::{function.name}"
                for number in {*in_name(function.name), *in_cases(function.decorator_list, assigned)}:
                    found[number].add(test)
    return found


def _defined(tree: ast.Module) -> Iterator[ast.stmt]:
    """What the module and its classes define."""
    for statement in tree.body:
        yield from statement.body if isinstance(statement, ast.ClassDef) else [statement]


def in_name(name: str) -> list[str]:
    """The numbers at the start of a test's name."""
    numbers = IN_NAME.match(name)
    return numbers[1].upper().split("_")[:-1] if numbers else []


def in_cases(decorators: list[ast.expr], assigned: dict[str, ast.expr]) -> Iterator[str]:
    """The numbers at the start of texts in a test's decorators, and in what the module assigns to names used there."""
    for decorator in decorators:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Name) and node.id in assigned:
                yield from in_cases([assigned[node.id]], {})
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                number = IN_CASE.match(node.value)
                if number:
                    yield number[1].upper()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the tables: the tests that it names, and why none of them is made over HTTP, if that is so."""

    tests: frozenset[str]
    reason: str


def numbers(text: str) -> list[str]:
    """The numbers that the document's headings promise."""
    return [
        f"{group}{number:02}"
        for group, first, last in SECTION.findall(text)
        for number in range(int(first), int(last) + 1)
    ]


def rows(text: str) -> dict[str, Row]:
    """The rows of the document's tables by their numbers."""
    return {
        number: Row(frozenset(f"tests/{test}" for test in re.findall(r"`([^`]+)`", tests)), reason.strip())
        for number, _, _, tests, reason in ROW.findall(text)
    }


def disagreements(text: str, borne: Bearers) -> list[str]:
    """What the document says and the tests do not, or the other way round."""
    found = []
    listed = [number for number, *_ in ROW.findall(text)]
    promised = numbers(text)
    found += [f"row {number} is there {count} times" for number, count in Counter(listed).items() if count > 1]
    found += [f"row {number} is promised by a heading and not listed" for number in promised if number not in listed]
    found += [f"row {number} is listed beyond what its heading promises" for number in listed if number not in promised]
    if len(promised) != PUBLISHED + len(OURS) or not set(promised) >= OURS:
        found.append(f"the headings promise {len(promised)} numbers")
    described = rows(text)
    for number, row in described.items():
        found += [f"row {number} names {test}, which does not bear it" for test in row.tests - borne.get(number, set())]
        over_http = any(test.startswith(RUNNING) for test in borne.get(number, ()))
        if not row.tests:
            found.append(f"row {number} names no test")
        if not over_http and not row.reason:
            found.append(f"row {number} is neither tried on a running server nor says why not")
        if over_http and row.reason:
            found.append(f"row {number} is tried on a running server and says why not")
    found += [
        f"missing: | {number} | ATTACK | EXPECTED | `{min(tests).removeprefix('tests/')}` | |"
        for number, tests in sorted(borne.items())
        if number not in described
    ]
    return found


def test_the_document_and_the_tests_agree() -> None:
    """Every number has its row, its tests, and one that attacks a running server or a reason why none does."""
    assert disagreements(TABLES.read_text("utf-8"), bearers()) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("## A: Authorization requests (A01–A43)", "## A: Authorization requests (A01–A44)", "row A44 is promised"),
        ("## C: Authorization codes (C01–C15)", "## C: Authorization codes (C01–C14)", "row C15 is listed beyond"),
        ("| A02 |", "| A01 |", "row A01 is there 2 times"),
        ("| A02 |", "| A01 |", "row A02 is promised by a heading and not listed"),
        ("test_a40_", "test_b40_", "row A40 names tests/"),
        (r"\| D03 \|.*\|", "| D03 | a | b | `c` | |", "row D03 is neither tried"),
        (r"(\| C02 \|.*\|).*\|", r"\1 too slow |", "row C02 is tried on a running server and says why not"),
    ],
)
def test_each_disagreement_is_noticed(old: str, new: str, expected: str) -> None:
    """One that is planted."""
    text = TABLES.read_text("utf-8")
    planted = re.sub(old, new, text, count=1) if old.startswith(("\\", "(")) else text.replace(old, new, 1)
    assert planted != text
    assert any(each.startswith(expected) for each in disagreements(planted, bearers()))


def test_a_test_that_bears_a_number_without_a_row_is_noticed() -> None:
    text = TABLES.read_text("utf-8")
    found = disagreements(text, {**bearers(), "J01": {"tests/attacks/test_new.py::test_j01_new"}})
    assert [each for each in found if "J01" in each]
