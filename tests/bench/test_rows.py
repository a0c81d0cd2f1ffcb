"""Each row runs: peers start, every answer is right, figures come out. Nothing here is about how fast anything is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import soak
from tests.bench.__main__ import GROUPS
from tests.support.processes import REPOSITORY, clean_environment

pytestmark = pytest.mark.slow

RUN_SECONDS = 300
FIGURES = re.compile(r"^\| (?:`[\w/-]+`)? \| [\w, -]+ \| [\d,.]+ \|", re.MULTILINE)


@pytest.mark.parametrize("names", [names for names, _group in GROUPS], ids=lambda names: names[0].partition("/")[0])
def test_every_row_of_a_group_is_measured(names: tuple[str, ...], tmp_path: Path) -> None:
    """A process of its own, since it moves itself to another core. A wrong answer of anybody ends it with an error."""
    text = reported(",".join(names), tmp_path / "report.md")
    assert [name for name in names if f"\n| `{name}` |" not in text] == []
    assert len(FIGURES.findall(text)) >= 2 * len(names), text


def test_every_store_is_soaked_when_asked_for(tmp_path: Path) -> None:
    text = reported("soak", tmp_path / "report.md")
    assert [name for name in soak.NAMES if text.count(f"\n| `{name}` |") != 3] == [], text


def reported(rows: str, report: Path) -> str:
    """The report of a quick run of those rows, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--rows", rows, "--report", str(report)]
    run = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    return report.read_text("utf-8")
