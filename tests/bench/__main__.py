"""`make bench`: our services beside their peers, as ratios.

    python -m tests.bench [--rows PREFIX,PREFIX] [--quick] [--record] [--report PATH]

Rows are chosen by the beginnings of their names; the long runs of soak.py and soak_mcp.py only run if they are named.
The report is printed and kept, in build/bench/report.md by default; `--record` writes it into docs/performance.md too.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import cores, report, soak, soak_mcp
from tests.bench.measurement import Plan, Result, Row, measure
from tests.bench.rows import call, planning, query, reading, redis, token, verification
from tests.bench.subjects import Setting
from tests.support.processes import REPOSITORY

FULL = Plan(passes=5, seconds=2.0)
QUICK = Plan(passes=1, seconds=0.3)
FULL_SOAK, QUICK_SOAK = soak.Length(parts=12, seconds=50.0), soak.Length(parts=3, seconds=1.0)
QUICK_ITEMS, QUICK_CODES = 5_000, 400
REPORT = REPOSITORY / "build" / "bench" / "report.md"
RECORD = REPOSITORY / "docs" / "performance.md"

Group = Callable[[Setting], AbstractContextManager[Sequence[Row]]]
GROUPS: tuple[tuple[tuple[str, ...], Group], ...] = (
    (token.NAMES, token.rows),
    (redis.NAMES, redis.rows),
    (call.NAMES, call.rows),
    (query.NAMES, query.rows),
    (reading.NAMES, reading.rows),
    (planning.NAMES, planning.rows),
    (verification.NAMES, verification.rows),
)
"""The rows that share servers, by name, and what starts these."""
NAMES = tuple(name for names, _group in GROUPS for name in names)


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps; gives the exit status, which says nothing about goals."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rows", default="", help="beginnings of row names, separated by commas")
    parser.add_argument("--quick", action="store_true", help="short passes: to see that it works, not how fast it is")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report is kept")
    parser.add_argument("--record", action="store_true", help="write the report into docs/performance.md")
    chosen = parser.parse_args(arguments)
    beginnings = tuple(chosen.rows.split(","))
    wanted = [name for name in NAMES if name.startswith(beginnings)]
    soaked = [name for name in soak.NAMES if chosen.rows and name.startswith(beginnings)]
    soaks_mcp = bool(chosen.rows) and soak_mcp.NAME.startswith(beginnings)
    if not wanted and not soaked and not soaks_mcp:
        parser.error(f"no row begins with {chosen.rows!r}; there are {', '.join([*NAMES, *soak.NAMES, soak_mcp.NAME])}")
    plan, length = (QUICK, QUICK_SOAK) if chosen.quick else (FULL, FULL_SOAK)
    try:
        placed = cores.choose()
    except cores.CannotPin as problem:
        parser.error(str(problem))
    size = {"items": QUICK_ITEMS, "codes": QUICK_CODES} if chosen.quick else {}
    where = report.circumstances(datetime.now(UTC).strftime("%Y-%m-%d"))
    reports = {}
    if wanted:
        results = run(wanted, plan, lambda directory: Setting(directory, placed, **size))
        reports["report"] = report.markdown(results, plan, where)
    if soaked:
        reports["soak"] = report.soaked(run_soak(soaked, length, lambda directory: Setting(directory, placed)), where)
    if soaks_mcp:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            run_of_mcp = soak_mcp.soak(Setting(Path(directory), placed), length)
        reports["soak-mcp"] = report.soaked_mcp(run_of_mcp, where)
        sys.stderr.writelines(f"{failure[:500]}\n" for failure in run_of_mcp.failures[:50])
    text = "\n".join(reports.values())
    sys.stdout.write(f"\n{text}\n")
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    chosen.report.write_text(text)
    if chosen.record:
        record(reports)
    return 0


def run(wanted: Sequence[str], plan: Plan, setting: Callable[[Path], Setting]) -> list[Result]:
    """Measures the wanted rows, group by group, saying which one is under way."""
    results = []
    for names, group in GROUPS:
        if not set(names).intersection(wanted):
            continue
        with tempfile.TemporaryDirectory(prefix="bench-") as directory, group(setting(Path(directory))) as rows:
            for row in rows:
                if row.name in wanted:
                    sys.stderr.write(f"{row.name} ...\n")
                    results.append(measure(row, plan))
    return results


def run_soak(wanted: Sequence[str], length: soak.Length, setting: Callable[[Path], Setting]) -> list[soak.Soaked]:
    """Soaks the wanted stores, one after the other."""
    soaked = []
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            soaked.append(soak.soak(name, setting(Path(directory)), length))
    return soaked


def record(reports: Mapping[str, str]) -> None:
    """Puts each report in place of the one of that name that the document holds."""
    document = RECORD.read_text("utf-8")
    for name, text in reports.items():
        place = rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)"
        # Once: after an empty place, it would find one more, up to the end of the next report.
        document = re.sub(place, lambda _old, text=text: text, document, count=1, flags=re.S)  # type: ignore[misc]
    RECORD.write_text(document)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
