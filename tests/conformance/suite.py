"""Runs the official MCP conformance suite (npm, @modelcontextprotocol/conformance) and reads what it found."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.node import MODULES, node
from tests.support.processes import clean_environment

SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
RUN_SECONDS = 120
_RESULTS = re.compile(r"^server-|-\d{4}-\d\d-\d\dT[\d-]+Z$")
"""What the suite puts round a scenario's name to call the folder of its results."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check; its `status` is SUCCESS, INFO, SKIPPED, WARNING or FAILURE. An id can stand several times."""

    id: str
    status: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the suite found: the checks of each scenario that ran, and its own verdict."""

    scenarios: dict[str, tuple[Check, ...]]
    passed: bool
    output: str

    def of_status(self, status: str) -> set[tuple[str, str, str]]:
        """Scenario, id and message of each check of that status."""
        return {
            (name, check.id, check.message)
            for name, checks in self.scenarios.items()
            for check in checks
            if check.status == status
        }


def scenarios(*options: str) -> set[str]:
    """The scenarios that the suite has, narrowed by the options of its `list` command."""
    listed = subprocess.run(command("list", *options), capture_output=True, text=True, check=True, timeout=60).stdout
    return set(re.findall(r"^  - (\S+) \[", listed, re.MULTILINE))


def command(*arguments: str) -> list[str]:
    """The suite's command line, under the Node that npm brought along."""
    return [node(), str(SUITE), *arguments]


def run(results: Path, *arguments: str, on_line: Callable[[str], None] = lambda _line: None) -> Report:
    """Runs the suite, telling `on_line` each line it prints, and reads the checks it saved under `results`."""
    with subprocess.Popen(
        command(*arguments, "--output-dir", str(results)),
        env=clean_environment(NO_COLOR="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                on_line(line.strip())
            process.wait(RUN_SECONDS)
        finally:
            process.kill()
    return Report(_saved_checks(results), process.returncode == 0, "".join(lines))


def _saved_checks(results: Path) -> dict[str, tuple[Check, ...]]:
    return {
        _RESULTS.sub("", path.parent.name): tuple(
            Check(check["id"], check["status"], check.get("errorMessage") or "")
            for check in json.loads(path.read_text("utf-8"))
        )
        for path in results.glob("**/checks.json")
    }
