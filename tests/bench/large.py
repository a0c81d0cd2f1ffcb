"""A table of ten million items, grouped in one query: how fast, and whether memory stays flat.

    python -m tests.bench.large [ITEMS] [--record]

The replayed DynamoDB holds 100,000 items and scans them over and over. What the engine's processes hold is read twice a
second; it is flat if the second half of the scan adds no more than a twentieth to what the first half took. The result
is printed; `--record` writes it into docs/performance.md too.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import cores
from tests.bench.__main__ import record
from tests.bench.report import Circumstances, circumstances
from tests.bench.rows.query import replaying, working
from tests.bench.subjects import Setting
from tests.bench.usage import family, resident

UNIT, ITEMS = 100_000, 10_000_000
FLAT = 1.05
_INTERVAL_SECONDS = 0.5


def held_during(scan: Callable[[], object], pid: int) -> list[int]:
    """Bytes that a process and those that it started hold while a scan goes on, at even intervals."""
    readings: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scan)
        while not wait([running], _INTERVAL_SECONDS).done:
            with suppress(OSError):  # one of them has ended between being listed and being read
                readings.append(sum(map(resident, family(pid))))
        running.result()
    return readings


def report(items: int, seconds: float, readings: Sequence[int]) -> str:
    """The line to print; `readings` are in bytes, at even intervals."""
    half = len(readings) // 2
    first, second = max(readings[:half]), max(readings[half:])
    flat = second <= FLAT * first
    return (
        f"{items:,} items in {seconds:.1f} s, {items / seconds:,.0f} a second; the processes held at most "
        f"{first / 1e6:,.0f} MB in the first half of the scan and {second / 1e6:,.0f} MB in the second: "
        f"{'flat' if flat else 'not flat'}"
    )


def recorded(line: str, where: Circumstances) -> str:
    """What docs/performance.md holds of a run."""
    return f"Recorded {where.date} at commit {where.commit}: {where.machine}.\n\n{line}.\n"


def main(arguments: Sequence[str]) -> None:
    """Measures, prints and, if asked to, records."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.large")
    parser.add_argument("items", nargs="?", type=int, default=ITEMS, help="how many items the table seems to hold")
    parser.add_argument("--record", action="store_true", help="write the result into docs/performance.md")
    chosen = parser.parse_args(arguments)
    repeats = max(2, chosen.items // UNIT)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        setting = Setting(Path(directory), cores.choose(), items=UNIT)
        with replaying(setting, UNIT, repeats) as replay, working(setting, "engine", replay, repeats) as worker:
            worker.run("point-read", 0.0)  # starts what there is to start
            started = time.perf_counter()
            readings = held_during(lambda: worker.run("scan", 0.0), worker.process.pid)
            seconds = time.perf_counter() - started
    line = report(UNIT * repeats, seconds, readings)
    sys.stdout.write(line + "\n")
    if chosen.record:
        record({"large": recorded(line, circumstances(datetime.now(UTC).strftime("%Y-%m-%d")))})


if __name__ == "__main__":
    main(sys.argv[1:])
