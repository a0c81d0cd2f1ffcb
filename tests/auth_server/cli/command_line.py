"""The operator's command line, run in this process."""

import io
import json
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auth_server.cli.main import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON printed."""
        return json.loads(self.out)


class CommandLine:
    """Runs commands on the store in a directory."""

    def __init__(self, directory: Path, environment: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.directory, self._environment, self._capture = directory, environment, capture

    def __call__(self, *arguments: str, stdin: str = "") -> Outcome:
        self._environment.setattr("sys.argv", ["auth-server", *arguments])
        self._environment.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            copy_context().run(main)  # what a command sets for itself ends with it, as its process would
        printed = self._capture.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)


def assert_failed(outcome: Outcome, *words: str) -> None:
    """The command failed with one line on standard error that holds the words."""
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("auth-server: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err
