"""docs/metrics.md, the alerts and the dashboard name the metrics that there are."""

import re
from collections.abc import Iterator, Sequence
from typing import get_args

import promql_parser
import pytest

from auth_server.adapters import metrics as auth_metrics
from auth_server.domain.failures import ALARMS
from mcp_server.adapters import metrics as mcp_metrics
from mcp_server.app import engine
from mcp_server.ports.tally import Cache, Share
from shared_kernel.metrics import Counted, Counter, Definition, Histogram, Instrument, Metrics, PathNames, Timed
from tests.house.test_docs import section
from tests.support.processes import REPOSITORY
from tests.support.promtool import alerts, panels

DEFINITIONS = {"auth-server": auth_metrics.definitions, "mcp-server": mcp_metrics.definitions}
INSTRUMENTS: dict[str, Sequence[Instrument]] = {
    "auth-server": (auth_metrics.store_seconds(), *auth_metrics.gauges(lambda: 0, lambda: 0)),
    "mcp-server": (
        *mcp_metrics.MeteredTally().instruments,
        *engine.gauges(lambda: 0, lambda: 0, lambda: 0, lambda: 0, lambda: 0),
        *mcp_metrics.gauges(lambda: 0),
    ),
}


def defined(service: str) -> Sequence[Definition]:
    """The metrics of a service that are made of events."""
    return DEFINITIONS[service](PathNames())


def metrics(service: str) -> Sequence[Definition | Instrument]:
    """All metrics of a service."""
    return [*defined(service), *INSTRUMENTS[service]]


def rows(service: str) -> list[str]:
    """What docs/metrics.md is to say of a service."""
    written = []
    for definition in defined(service):
        labels = getattr(definition, "labels", {}) or ({} if definition.events else {"level": "", "event": ""})
        events = ", ".join(f"`{event}`" for event in definition.events) or "every one"
        written.append(row(definition, list(labels), events))
    written += [row(one, getattr(one, "labels", ()), "none") for one in INSTRUMENTS[service]]
    return written


def row(metric: Definition | Instrument, labels: Sequence[str], events: str) -> str:
    """A metric's row in docs/metrics.md."""
    suffix = "_total" if isinstance(metric, Counted | Counter) else ""
    names = ", ".join(f"`{label}`" for label in labels)
    return f"| `{metric.name}{suffix}` | {names} | {events} | {metric.help} |"


@pytest.mark.parametrize("service", DEFINITIONS)
def test_every_metric_is_documented_as_it_is(service: str) -> None:
    written = [line for line in section("metrics.md", f"## {service}").splitlines() if line.startswith("| `")]
    assert written == rows(service), "docs/metrics.md should have these rows:\n" + "\n".join(rows(service))


@pytest.mark.parametrize("service", DEFINITIONS)
def test_every_metric_is_made_of_events_that_are_logged(service: str) -> None:
    text = section("logs.md", f"## {service}") + section("logs.md", "## Both")
    logged = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    for definition in defined(service):
        assert set(definition.events) <= logged, definition.name


def exported() -> set[str]:
    """The names of all samples that either service can export."""
    names = {"process_resident_memory_bytes"}
    for service in DEFINITIONS:
        for metric in metrics(service):
            if isinstance(metric, Counted | Counter):
                names.add(f"{metric.name}_total")
            elif isinstance(metric, Timed | Histogram):
                names |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
            else:
                names.add(metric.name)
    return names


def labels() -> set[str]:
    """The labels that samples can have, with those of every scrape."""
    found = {"le", "instance", "job", "level", "event"}
    for service in DEFINITIONS:
        for metric in metrics(service):
            found |= set(getattr(metric, "labels", {}))
    return found


def expressions() -> Iterator[str]:
    """Every query of the alerts and of the dashboard."""
    for rule in alerts():
        yield rule["expr"]
    for _, query in panels():
        yield query


@pytest.mark.parametrize("expression", list(expressions()))
def test_alerts_and_dashboard_ask_for_what_is_exported(expression: str) -> None:
    promql_parser.parse(expression)
    bare = re.sub(r'"[^"]*"', '""', expression)
    asked = set(re.findall(r"\b(?:auth|mcp|process)_[a-z_]+\b", bare))
    assert asked
    assert asked <= exported()
    grouped = {name for names in re.findall(r"by \(([^)]*)\)", bare) for name in re.split(r",\s*", names)}
    matched = set(re.findall(r"([a-z_]+)(?:=~|!=|!~|=)\"", bare))
    assert grouped | matched <= labels()


def test_the_caches_and_shares_are_documented() -> None:
    text = section("metrics.md", "## Requests, queue and caches of mcp-server")
    assert re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE) == list(get_args(Cache))
    assert all(f"`{share}`" in text for share in get_args(Share))


def test_values_of_labels_in_queries_exist() -> None:
    """An alert that waits for a word that nobody writes would never fire."""
    known = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "docs").glob("*.md"))
    known += "\n".join(path.read_text("utf-8") for path in REPOSITORY.glob("*-server/src/**/*.py"))
    values = {
        value
        for expression in expressions()
        for label, quoted in re.findall(r"([a-z_]+)(?:=~|!=|!~|=)\"([^\"]*)\"", expression)
        for value in quoted.split("|")
        if label not in {"status", "path"}
    }
    assert values
    for value in values:
        assert re.search(rf"\b{re.escape(value)}\b", known), value


def test_the_sum_of_nothing_is_exported_too() -> None:
    """What has no label, and each alarm, is there with 0 from the start: a rate misses the step from nothing to 1."""
    text = Metrics(defined("auth-server")).exposition().decode()
    assert "\nauth_audit_lost_total 0.0\n" in text
    assert all(f'\nauth_alarms_total{{reason="{reason}"}} 0.0\n' in text for reason in ALARMS)
    assert "\nauth_store_away 0.0\n" in text
