"""The tables of a run, in Markdown: goals first, then every figure."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import soak, soak_mcp
from tests.bench.measurement import Plan, Result
from tests.support.processes import REPOSITORY


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, where and on what a run took place."""

    date: str
    machine: str
    commit: str


def circumstances(date: str) -> Circumstances:
    """This machine and this commit."""
    commit = _output("git", "describe", "--always", "--dirty")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{_processor()}, {os.cpu_count() or cores} cores, {platform.system()} {platform.machine()}"
    return Circumstances(date, f"{machine}, Python {platform.python_version()}", commit)


def markdown(results: Sequence[Result], plan: Plan, where: Circumstances) -> str:
    """The whole report."""
    others = statistics.median(
        sample.others for result in results for passes in result.samples.values() for sample in passes
    )
    return "\n".join(
        [
            f"Recorded {where.date} at commit {where.commit}: {where.machine}.",
            f"{plan.passes} interleaved passes of {plan.seconds:g} s; medians. While it ran, processes outside the "
            f"measurement took {others:.0%} of the servers' core.",
            "",
            "| row | goal | measured | reached |",
            "|---|---|---|---|",
            *(line for result in results for line in _goals(result)),
            "",
            "| row | subject | operations/s | ours ÷ it | p50 ms | p99 ms | CPU µs | ours ÷ it | load core |",
            "|---|---|---|---|---|---|---|---|---|",
            *(line for result in results for line in _figures(result)),
            "",
            *(f"- `{result.row.name}`: {result.row.work}." for result in results),
            "",
        ]
    )


def soaked(runs: Sequence[soak.Soaked], where: Circumstances) -> str:
    """The report of long runs: what grew, and every part."""
    lines = [
        f"Recorded {where.date} at commit {where.commit}: {where.machine}.",
        "",
        "| store | measured | last third ÷ second third | flat |",
        "|---|---|---|---|",
    ]
    for each in runs:
        for what, growth, allowed in (
            ("memory", each.memory_growth, soak.MEMORY_GROWTH),
            ("p99", each.tail_growth, soak.TAIL_GROWTH),
        ):
            flat = "yes" if growth <= allowed else "no"
            lines.append(f"| `{each.name}` | {what} (≤ {allowed:g}) | {growth:.2f} | {flat} |")
    lines += ["", "| store | from s | operations/s | p50 ms | p99 ms | CPU µs | memory MB |"]
    lines.append("|---|---|---|---|---|---|---|")
    for each in runs:
        elapsed = 0.0
        for part in each.parts:
            sample = part.sample
            p50, p99 = (sample.percentile(share) * 1e3 for share in (0.5, 0.99))
            lines.append(
                f"| {f'`{each.name}`' if not elapsed else ''} | {elapsed:.0f} | {sample.rate:,.0f} | {p50:.2f} | "
                f"{p99:.2f} | {sample.cpu_each * 1e6:,.0f} | {part.resident / 1e6:.1f} |"
            )
            elapsed += sample.seconds
    return "\n".join([*lines, ""])


def soaked_mcp(run: soak_mcp.Soaked, where: Circumstances) -> str:
    """The report of mcp-server's long run: what failed and what grew, and every part."""
    allowed = soak_mcp.MEMORY_GROWTH
    lines = [
        f"Recorded {where.date} at commit {where.commit}: {where.machine}.",
        "",
        "| measured | value | reached |",
        "|---|---|---|",
        *(
            f"| failed calls of {kind} clients (0), of {count:,} | {failed} | {'yes' if not failed else 'no'} |"
            for kind, count, failed in run.outcomes()
        ),
        *(
            f"| memory of {what}, last third ÷ second third (≤ {allowed:g}) | {growth:.2f} | "
            f"{'yes' if growth <= allowed else 'no'} |"
            for what, growth in (
                ("the server", run.growth(lambda part: part.resident)),
                ("its processes", run.growth(lambda part: part.resident_children)),
            )
        ),
        "",
        "| from s | good/s | p50 ms | p99 ms | slow | leaving | hostile | memory MB | processes | theirs MB | files |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    elapsed = 0.0
    for part in run.parts:
        p50, p99 = (part.sample.percentile(share) * 1e3 for share in (0.5, 0.99))
        others = " | ".join(str(part.calls[kind]) for kind in ("slow", "leaving", "hostile"))
        lines.append(
            f"| {elapsed:.0f} | {part.sample.rate:,.1f} | {p50:,.0f} | {p99:,.0f} | {others} | "
            f"{part.resident / 1e6:.1f} | {part.children} | {part.resident_children / 1e6:.1f} | {part.files} |"
        )
        elapsed += part.sample.seconds
    return "\n".join([*lines, ""])


def _goals(result: Result) -> list[str]:
    return [
        f"| `{result.row.name}` | {goal.text} | {goal.reached(result):.2f} | {'yes' if goal.met(result) else 'no'} |"
        for goal in result.row.goals
    ]


def _figures(result: Result) -> list[str]:
    lines = []
    for name in result.samples:
        found, is_ours = result.medians(name), name == result.ours
        rate = "–" if is_ours else f"{result.ratio(name):.2f}"
        cpu = "–" if is_ours else f"{result.ratio(name, lambda sample: sample.cpu_each):.2f}"
        lines.append(
            f"| {f'`{result.row.name}`' if is_ours else ''} | {name} | {_figure(found.rate)} | {rate} | "
            f"{_figure(found.p50)} | {_figure(found.p99)} | {_figure(found.cpu)} | {cpu} | {found.generator:.0%} |"
        )
    return lines


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
