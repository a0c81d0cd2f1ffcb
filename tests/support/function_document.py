"""docs/functions.md as data: which functions it names, and what their examples give."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.processes import REPOSITORY

_NAME = re.compile(r"([a-z_0-9]+)(?:\(.*)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a table: names that mean the same (none of what is syntax), a statement and the rows it gives."""

    names: tuple[str, ...]
    example: str
    frame: str
    results: tuple[Any, ...]

    def statement(self, name: str) -> str:
        """The example as a statement, under one of the names."""
        example = re.sub(rf"\b{self.names[0]}\(", f"{name}(", self.example) if self.names else self.example
        return example if example.startswith("SELECT ") else self.frame.replace("…", example)


def sections() -> dict[str, list[Entry]]:
    """The entries by the heading above them."""
    found = {}
    for part in _text().split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        frame = re.search(r"Run as `(SELECT .*?)`", body)
        rows = [_cells(line) for line in body.splitlines() if line.startswith("| `")]
        found[title] = [_entry(row, frame[1] if frame else "SELECT …") for row in rows]
    return found


def sales() -> list[dict[str, str]]:
    """The rows of the table of the examples, each value as it is written."""
    lines = [line for line in _text().partition("\n## ")[0].splitlines() if line.startswith("| ")]
    names, *rows = (_cells(line) for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _text() -> str:
    return (REPOSITORY / "docs" / "functions.md").read_text("utf-8")


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _entry(cells: list[str], frame: str) -> Entry:
    head, _, example, result = cells
    names = (_NAME.fullmatch(span) for span in re.findall(r"`(.*?)`", head))
    return Entry(
        tuple(name[1] for name in names if name),
        example.strip("`"),
        frame,
        tuple(json.loads(span) for span in re.findall(r"`(.*?)`(?:, |$)", result)),
    )
