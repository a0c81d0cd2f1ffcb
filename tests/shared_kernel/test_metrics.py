"""Metrics are counted from events; a stranger cannot make them grow without end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared_kernel.asgi import Message, Receive, Scope, Send
from shared_kernel.key_file import UnusableKeyFile
from shared_kernel.metrics import MOST_SERIES, Counted, Definition, Gauge, Metrics, PathNames, Switched, Timed, method
from shared_kernel.metrics_page import Metering, MetricsPage

pytestmark = pytest.mark.anyio

TOKEN = "scrape-me-with-this-token"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Every sample but those of the process."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def told(definitions: Sequence[Definition], events: Iterable[dict[str, Any]]) -> Samples:
    """The samples after some events."""
    metrics = Metrics(definitions)
    for event in events:
        metrics.observe("info", event)
    return samples(metrics)


def test_events_are_counted_by_their_fields() -> None:
    definition = Counted("calls", "Calls.", ["call"], {"tool": "tool", "outcome": "outcome"})
    events = [{"event": "call", "tool": "a", "outcome": "ok"}] * 3 + [
        {"event": "call", "tool": "a"},
        {"event": "other"},
    ]
    assert told([definition], events) == {
        ("calls_total", (("outcome", "ok"), ("tool", "a"))): 3,
        ("calls_total", (("outcome", ""), ("tool", "a"))): 1,
    }


def test_fields_are_added_up() -> None:
    definition = Counted("bytes", "Bytes.", ["read"], amount="bytes")
    assert told([definition], [{"event": "read", "bytes": 5}, {"event": "read", "bytes": 2.5}, {"event": "read"}]) == {
        ("bytes_total", ()): 7.5
    }


def test_only_events_with_a_field_count_where_one_is_named() -> None:
    definitions: list[Definition] = [
        Counted("plans", "Plans.", ["call"], having="ms"),
        Timed("seconds", "Time.", ["call"], "ms"),
    ]
    found = told(definitions, [{"event": "call", "ms": 0.0}, {"event": "call", "ms": None}, {"event": "call"}])
    assert (found["plans_total", ()], found["seconds_count", ()]) == (1, 1)


def test_every_event_is_counted_by_name_and_level() -> None:
    metrics = Metrics([Counted("events", "Events.")])
    metrics.observe("info", {"event": "a"})
    metrics.observe("error", {"event": "a"})
    assert samples(metrics) == {
        ("events_total", (("event", "a"), ("level", "info"))): 1,
        ("events_total", (("event", "a"), ("level", "error"))): 1,
    }


def test_durations_are_in_cumulative_buckets() -> None:
    found = told(
        [Timed("seconds", "Time.", ["done"], "ms")], [{"event": "done", "ms": ms} for ms in (0.5, 1, 1.1, 400, 99_000)]
    )
    counts = {labels[0][1]: value for (name, labels), value in found.items() if name == "seconds_bucket"}
    assert (counts["0.001"], counts["0.0025"], counts["0.25"], counts["0.5"], counts["30.0"], counts["+Inf"]) == (
        2,
        3,
        3,
        4,
        4,
        5,
    )
    assert found["seconds_count", ()] == 5
    assert found["seconds_sum", ()] == pytest.approx(99.4026)


@pytest.mark.parametrize(("events", "value"), [([], 0), (["away"], 1), (["away", "back"], 0), (["away", "gone"], 1)])
def test_a_switch_is_as_the_last_event_left_it(events: list[str], value: float) -> None:
    definition = Switched("off", "Off.", ["away", "gone"], ["back"])
    assert told([definition], [{"event": event} for event in events]) == {("off", ()): value}


def test_a_gauge_is_asked_when_the_metrics_are() -> None:
    metrics, values = Metrics([]), [1.0]
    metrics.add([Gauge("running", "Running.", lambda: values[0])])
    values[0] = 7.0
    assert samples(metrics) == {("running", ()): 7.0}


@pytest.mark.parametrize(
    "definition",
    [
        Counted("calls", "Calls.", ["call"], {"tool": "tool"}),
        Timed("calls", "Calls.", ["call"], "ms", {"tool": "tool"}),
        Counted("calls", "Calls."),
    ],
    ids=["counted", "timed", "of-every-event"],
)
def test_what_strangers_invent_has_a_bound(definition: Definition) -> None:
    names = [f"t{number}" for number in range(3 * MOST_SERIES)]
    every = not definition.events
    events = [{"event": name if every else "call", "tool": name, "ms": 1} for name in names]
    found = told([definition], [*events, *events[:10]])
    values = {dict(labels)["event" if every else "tool"] for _, labels in found}
    assert len(values) == MOST_SERIES + 1
    total = "calls_count" if isinstance(definition, Timed) else "calls_total"
    assert sum(value for (name, _), value in found.items() if name == total) == 3 * MOST_SERIES + 10


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/token", "/token"),
        ("/token/", "other"),
        ("/register/abc", "/register/{client_id}"),
        ("/register", "/register"),
        ("/wp-login.php", "other"),
        ("", "other"),
    ],
)
def test_paths_have_the_names_that_the_service_knows(path: str, name: str) -> None:
    paths = PathNames()
    paths.learn(["/token", "/register", "/register/{client_id}"])
    assert paths({"path": path}) == name


def test_methods_that_do_not_exist_are_other() -> None:
    assert [method({"method": word}) for word in ("GET", "get", "BREW")] == ["GET", "other", "other"]


@pytest.mark.parametrize("content", ["", "short", "with a space in the middle of it", "ünïcödé-ünïcödé-ünïcödé"])
def test_a_token_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(UnusableKeyFile, match=str(file)):
        Metering.over(lambda _paths: (), file)


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(UnusableKeyFile, match="chmod 600"):
        Metering.over(lambda _paths: (), file)


@pytest.fixture
def metering(tmp_path: Path) -> Metering:
    """A metering of one metric."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return Metering.over(lambda _paths: [Counted("calls", "Calls.", ["call"])], file)


async def asked(metering: Metering, path: str, verb: str = "GET", *credentials: str) -> tuple[int, dict[str, str], str]:
    """The page's answer; the application behind it answers 404."""

    async def behind(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", value.encode()) for value in credentials]
    scope = {"type": "http", "method": verb, "path": path, "headers": headers}
    await MetricsPage(behind, metering)(scope, receive, send)
    fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], fields, sent[1]["body"].decode()


async def test_the_token_reads_the_metrics(metering: Metering) -> None:
    metering.metrics.observe("info", {"event": "call"})
    status, headers, body = await asked(metering, "/metrics", "GET", f"Bearer {TOKEN}")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert headers["cache-control"] == "no-store"
    assert "\ncalls_total 1.0\n" in body
    assert "process_resident_memory_bytes" in body
    assert await asked(metering, "/metrics", "HEAD", f"bearer {TOKEN}") == (200, headers, "")


@pytest.mark.parametrize(
    "credentials",
    [(), ("Bearer",), ("Bearer wrong",), (f"Basic {TOKEN}",), (TOKEN,), (f"Bearer {TOKEN}",) * 2, ("Bearer \xff",)],
)
async def test_nobody_else_does(credentials: tuple[str, ...], metering: Metering) -> None:
    status, headers, body = await asked(metering, "/metrics", "GET", *credentials)
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="metrics"')
    assert json.loads(body)["error"] == "invalid_token"


async def test_it_is_only_read(metering: Metering) -> None:
    status, headers, _ = await asked(metering, "/metrics", "POST", f"Bearer {TOKEN}")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/metrics/", "/Metrics", "/token", "//metrics"])
async def test_every_other_path_goes_on(path: str, metering: Metering) -> None:
    assert await asked(metering, path, "GET", f"Bearer {TOKEN}") == (404, {}, "behind")


def test_the_token_is_not_shown(metering: Metering) -> None:
    assert TOKEN not in repr(metering)


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "ERROR"])
def test_what_is_not_logged_is_counted(level: str) -> None:
    """In a process of its own: the logs of a process are configured once."""
    program = f"""
import structlog
from shared_kernel import logs
seen = []
writer = logs.configure("example", {level!r}, [lambda level, event: seen.append((level, event["event"]))])
log = structlog.get_logger("own")
log.debug("a"); log.info("b"); log.warning("c"); log.error("d")
writer.close()
print(seen)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)
    )
    written = [json.loads(line)["event"] for line in run.stderr.splitlines()]
    assert written == {"DEBUG": ["a", "b", "c", "d"], "INFO": ["b", "c", "d"], "ERROR": ["d"]}[level]
    counted = [("info", "b"), ("warning", "c"), ("error", "d")]
    assert run.stdout.strip() == str([("debug", "a"), *counted] if level == "DEBUG" else counted)
