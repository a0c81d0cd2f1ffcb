"""What alerts and panels make of series that were really exported: Prometheus's own engine, in promtool."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import REPOSITORY

MONITORING = REPOSITORY / "deploy/monitoring"
ALERTS = MONITORING / "alerts.yml"
LASTING = 30
"""For how many minutes a replayed incident lasts."""
AFTERWARDS = 40
"""For how many minutes all is well again after it."""
_SECONDS = 120

Scrape = Mapping[str, tuple[str, float]]
"""The kind and the value of every series that was exported, by its name and labels as PromQL writes them."""


def scrape(exposition: str, instance: str) -> Scrape:
    """An exposition, with the labels that Prometheus adds to what it scrapes of an instance."""
    target = {"instance": instance, "job": "dynamosql"}
    return {
        _series(sample.name, sample.labels | target): (family.type, sample.value)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f"{label}={json.dumps(labels[label])}" for label in sorted(labels)) + "}"


@dataclass(frozen=True, slots=True)
class Observed:
    """Scrapes before and after something happened, which goes on `per_minute` for LASTING minutes, or happens once."""

    before: Scrape
    after: Scrape
    per_minute: int = 1
    once: bool = False

    def input_series(self) -> list[dict[str, str]]:
        """A sample a minute: the incident, then LASTING + AFTERWARDS minutes in all."""
        return [{"series": series, "values": self._values(series)} for series in sorted(self.after)]

    def _values(self, series: str) -> str:
        kind, after = self.after[series]
        _, before = self.before.get(series, ("", None))
        if kind == "gauge":
            return f"{after}+0x{LASTING} {after if before is None else before}+0x{AFTERWARDS - 1}"
        start = "_" if before is None else f"{before}"
        if self.once:
            return f"{start}{'x' if before is None else '+0x'}{LASTING - 6} {after}+0x{AFTERWARDS + 5}"
        growth = (after - (before or 0)) * self.per_minute
        first, last = (before or 0) + growth, (before or 0) + growth * LASTING
        return f"{start} {first}+{growth}x{LASTING - 1} {last}+0x{AFTERWARDS - 1}"


def evaluated(directory: Path, observed: Observed, expected: Sequence[tuple[str, str, Mapping[str, float]]]) -> None:
    """Fails the test unless each expression, at its time (`25m`), gives these samples, by their series."""
    checks = [
        {
            "expr": expression,
            "eval_time": time,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        for expression, time, samples in expected
    ]
    group = {"interval": "1m", "input_series": observed.input_series(), "promql_expr_test": checks}
    file = directory / "alerts-test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [group]}))
    promtool("test", "rules", str(file))


def promtool(*arguments: str) -> None:
    """Runs it; fails the test with what it says."""
    program = shutil.which("promtool") or str(REPOSITORY / ".tools/promtool")
    assert Path(program).exists(), "promtool is missing; run: make programs"
    run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def alerts() -> Iterator[dict[str, Any]]:
    """Every alerting rule."""
    for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]:
        yield from group["rules"]


def panels() -> Iterator[tuple[str, str]]:
    """The title and each query of every panel of the dashboard, as Grafana sends it with a scrape every minute."""
    dashboard: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "4m")
