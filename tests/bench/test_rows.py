"""Each row runs: peers start, every answer is right, figures come out. Nothing here is about how fast anything is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import GROUPS
from tests.support.processes import REPOSITORY, clean_environment

pytestmark = pytest.mark.slow

RUN_SECONDS = 300
FIGURES = re.compile(r"^\| (?:`[\w/-]+`)? \| [\w, -]+ \| [\d,.]+ \|", re.MULTILINE)


@pytest.mark.parametrize("names", [names for names, _group in GROUPS], ids=lambda names: names[0].partition("/")[0])
def test_every_row_of_a_group_is_measured(names: tuple[str, ...], tmp_path: Path) -> None:
    """A process of its own, since it moves itself to another core. A wrong answer of anybody ends it with an error."""
    report = tmp_path / "report.md"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--rows", ",".join(names), "--report", str(report)]
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
    text = report.read_text("utf-8")
    assert [name for name in names if f"\n| `{name}` |" not in text] == []
    assert len(FIGURES.findall(text)) >= 2 * len(names), text
