"""docs/complaints.md and the tests that bear its numbers agree, both ways."""

import ast
import re
from collections import defaultdict

from tests.support.processes import REPOSITORY

TABLE = REPOSITORY / "docs/complaints.md"
KNOWN = 21
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py::\w+)`")


def marked() -> dict[int, set[str]]:
    """The tests that bear each number, as `path::name` below tests/."""
    found = defaultdict(set)
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        text = path.read_text("utf-8")
        if "complaint" not in text:
            continue
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in function.decorator_list:
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.complaint":
                        for number in decorator.args:
                            assert isinstance(number, ast.Constant)
                            assert isinstance(number.value, int)
                            found[number.value].add(f"{path.relative_to(REPOSITORY / 'tests')}::{function.name}")
    return dict(found)


def test_every_complaint_has_its_tests_and_no_other() -> None:
    rows = ROW.findall(TABLE.read_text("utf-8"))
    assert [int(number) for number, *_ in rows] == list(range(1, KNOWN + 1))
    told = {int(number): set(TEST.findall(tests)) for number, _complaint, _answer, tests in rows}
    assert all(told.values())
    assert told == marked()
