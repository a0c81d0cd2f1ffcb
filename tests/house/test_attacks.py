"""docs/attacks.md and the tests that bear its numbers agree, both ways.

A test bears a number in its name (`test_c07_c08_…`) or in the id of a case (`id="a16-no-pkce"`, `"F01 alg none"`).
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from tests.support.processes import REPOSITORY

TABLES = REPOSITORY / "docs/attacks.md"
GROUPS = {"A": 43, "B": 21, "C": 15, "D": 17, "E": 18, "F": 25, "G": 28, "H": 17, "I": 22}
ALL = [f"{group}{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)]
IN_NAME = re.compile(r"test_((?:[a-i]\d\d_)+)")
IN_CASE = re.compile(r"([a-iA-I]\d\d)[- ]")
ROW = re.compile(r"^\| ([A-I]\d\d) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NOT_SERVED = re.compile(r"^- ([A-I]\d\d) (.+)$", re.MULTILINE)


@cache
def bearers() -> dict[str, set[str]]:
    """The tests that bear each number, as `path::name`."""
    found = defaultdict(set)
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        assigned = {
            target.id: statement.value
            for statement in tree.body
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
            if isinstance(target, ast.Name)
        }
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and function.name.startswith("test_"):
                test = f"{path.relative_to(REPOSITORY)}::{function.name}"
                for number in {*in_name(function.name), *in_cases(function.decorator_list, assigned)}:
                    found[number].add(test)
    return found


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


def rows() -> dict[str, set[str]]:
    """The tests that the document names for each number."""
    found = ROW.findall(TABLES.read_text("utf-8"))
    assert len(found) == len({number for number, *_ in found}), "a number has two rows"
    return {number: {f"tests/{test}" for test in re.findall(r"`([^`]+)`", tests)} for number, _, _, tests in found}


def test_every_number_is_listed_once() -> None:
    """Those with a test in a table, the others under the last heading."""
    without = [number for number, _ in NOT_SERVED.findall(TABLES.read_text("utf-8"))]
    assert sorted([*rows(), *without]) == sorted(ALL)


def test_every_row_names_tests_that_bear_its_number() -> None:
    """A test that is renamed or gone is noticed."""
    wrong = {number: tests - bearers()[number] for number, tests in rows().items() if not tests <= bearers()[number]}
    assert wrong == {}
    assert all(rows().values())


def test_every_number_that_a_test_bears_has_a_row() -> None:
    """A test of something new brings its row along, and takes its line away from those without a test."""
    attacks = dict(NOT_SERVED.findall(TABLES.read_text("utf-8")))
    missing = [
        f"| {number} | {attacks.get(number, 'ATTACK')} | EXPECTED | `{min(tests).removeprefix('tests/')}` |"
        for number, tests in sorted(bearers().items())
        if number not in rows()
    ]
    assert not missing, "docs/attacks.md should have these rows:\n" + "\n".join(missing)
