"""docs/logs.md names the events that the code writes, and no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth_server.domain.audit import EventName
from tests.support.processes import REPOSITORY

METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SOURCES = {
    "auth-server": REPOSITORY / "auth-server/src",
    "mcp-server": REPOSITORY / "mcp-server/src",
    "Both": REPOSITORY / "shared/src",
}
OF_BOTH = {"starting", "stopped"}
"""Written by each service itself."""


def events(source: Path) -> Iterator[str]:
    """The texts that are the first text handed to a logger."""
    for path in source.rglob("*.py"):
        text = path.read_text("utf-8")
        if "log" not in text:
            continue
        for call in ast.walk(ast.parse(text)):
            if not isinstance(call, ast.Call) or not _writes(call.func):
                continue
            first = call.args[1 if len(call.args) > 1 else 0]
            for node in ast.walk(first):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def _writes(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "log"  # one of the methods, chosen a line before
    if not isinstance(function, ast.Attribute) or function.attr not in METHODS:
        return False
    target = function.value
    name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
    return name in {"_log", "log"}


@pytest.mark.parametrize("title", SOURCES)
def test_every_event_is_documented(title: str) -> None:
    document = (REPOSITORY / "docs/logs.md").read_text("utf-8")
    section = document.split(f"\n## {title}\n")[1].split("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    written = set(events(SOURCES[title])) - {""}
    if title == "auth-server":
        written |= set(EventName)  # what the audit trail records is logged too
    assert len(written) > 3
    assert sorted(documented) == sorted(written | OF_BOTH if title == "Both" else written - OF_BOTH)
