"""Metrics, counted from the events that a service logs, in the text format that Prometheus reads.

The log is the one place where everything that happens is told, with a closed set of names: what docs/logs.md lists can
be counted, and nothing that does the work knows of metrics. Events are counted whatever level is logged, from info on.
What is too frequent for a line, and states that are looked at when a scraper asks, are instruments of their own.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of a duration."""
MOST_SERIES = 300
"""Series of one metric; what comes after them is counted as `other`. A stranger chooses some of the labels."""
OTHER = "other"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})

Event = Mapping[str, Any]
Label = str | Callable[[Event], str]
"""A field of the event, or what makes the label of it."""


class Definition(Protocol):
    """What is made of some events."""

    @property
    def name(self) -> str:
        """The metric's name."""
        ...

    @property
    def help(self) -> str:
        """What it says, in one sentence."""
        ...

    @property
    def events(self) -> Sequence[str]:
        """The events that it is made of; none means every one."""
        ...

    def started(self) -> "_Series":
        """The metric without a value yet."""
        ...


class _Series(Protocol):
    """The values of one metric."""

    def take(self, level: str, event: Event) -> None: ...

    def family(self) -> Metric: ...


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter of events, or of the sum of one of their fields; without `events`, of every event by name and level.

    With `having`, only events count in which that field has a value.
    The series with the labels `from_start` are there with 0 before anything has happened, as is one without labels.
    """

    name: str
    help: str
    events: Sequence[str] = ()
    labels: Mapping[str, Label] = field(default_factory=dict)
    amount: str | None = None
    having: str | None = None
    from_start: Sequence[Sequence[str]] = ()

    def started(self) -> "_Series":
        """See Definition."""
        return _EventCounter(self)


@dataclass(frozen=True, slots=True)
class Timed:
    """A histogram of seconds, of a field that holds milliseconds; events without it do not count."""

    name: str
    help: str
    events: Sequence[str]
    milliseconds: str
    labels: Mapping[str, Label] = field(default_factory=dict)

    def started(self) -> "_Series":
        """See Definition."""
        return _EventHistogram(self)


@dataclass(frozen=True, slots=True)
class Switched:
    """A gauge that is 1 from one of the events `on` until one of `off`, and 0 otherwise."""

    name: str
    help: str
    on: Sequence[str]
    off: Sequence[str]

    @property
    def events(self) -> Sequence[str]:
        """See Definition."""
        return (*self.on, *self.off)

    def started(self) -> "_Series":
        """See Definition."""
        return _Switch(self)


class Instrument(Protocol):
    """A metric that is not made of events."""

    @property
    def name(self) -> str:
        """The metric's name."""
        ...

    @property
    def help(self) -> str:
        """What it says, in one sentence."""
        ...

    def family(self) -> Metric:
        """The metric as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is asked for when the metrics are."""

    name: str
    help: str
    value: Callable[[], float]

    def family(self) -> Metric:
        """See Instrument."""
        return GaugeMetricFamily(self.name, self.help, value=self.value())


class Counter:
    """A counter that is added to, by the values of its labels."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:  # noqa: A002 - Prometheus's word
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Adds to the series with these labels, or to `other` where there are too many."""
        try:
            self._values[values] += amount
        except KeyError:  # a new series is rare, and a test for it would cost as much as the rest
            if len(self._values) >= MOST_SERIES:
                values = (OTHER,) * len(values)
            self._values[values] = self._values.get(values, 0.0) + amount

    def has_room(self, *values: str) -> bool:
        """Whether these labels have a series, or can have one."""
        return values in self._values or len(self._values) < MOST_SERIES

    def family(self) -> Metric:
        """See Instrument."""
        family = CounterMetricFamily(self.name, self.help, labels=self.labels)
        for values, value in list(self._values.items()):
            family.add_metric(values, value)
        return family


class Histogram:
    """Durations in the buckets of SECONDS, by the values of its labels."""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:  # noqa: A002 - Prometheus's word
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, seconds: float, *values: str) -> None:
        """Adds a duration to the series with these labels, or to `other` where there are too many."""
        counts = self._counts.get(values)
        if counts is None:
            if len(self._counts) >= MOST_SERIES:
                values = (OTHER,) * len(values)
            counts = self._counts.setdefault(values, [0] * (len(SECONDS) + 1))
        counts[bisect_left(SECONDS, seconds)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + seconds

    def family(self) -> Metric:
        """See Instrument."""
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        for values, counts in list(self._counts.items()):
            total, buckets = 0, []
            for bound, count in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric(values, buckets, self._sums[values])
        return family


class PathNames:
    """Names the paths that a service answers; one that holds a value is named by its template, any other `other`."""

    def __init__(self) -> None:
        self._exact: frozenset[str] = frozenset()
        self._templates: tuple[tuple[str, str], ...] = ()

    def learn(self, paths: Iterable[str]) -> None:
        """Makes these the known paths; the last part of a template stands in braces."""
        known = frozenset(paths)
        self._templates = tuple((path.partition("{")[0], path) for path in sorted(known) if "{" in path)
        self._exact = known

    def __call__(self, event: Event) -> str:
        """The label of an event with a `path`."""
        path = event["path"]
        if path in self._exact:
            return str(path)
        return next((template for stem, template in self._templates if path.startswith(stem)), OTHER)


def method(event: Event) -> str:
    """The label of an event with a `method`, of which a client may invent any."""
    return str(event["method"]) if event["method"] in _METHODS else OTHER


class Metrics:
    """The metrics of one process.

    Events are taken on any thread; between threads a count may be lost, which no decision depends on.
    """

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._series: list[_Series] = []
        self._of_all: list[_Series] = []
        self._of_event: dict[str, list[_Series]] = {}
        self._instruments: list[Instrument] = []
        self._registry = CollectorRegistry()
        for definition in definitions:
            series = definition.started()
            self._series.append(series)
            for event in definition.events:
                self._of_event.setdefault(event, []).append(series)
            if not definition.events:
                self._of_all.append(series)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def observe(self, level: str, event: Event) -> None:
        """Takes one event as it is logged: its fields, with its name as `event`."""
        for series in self._of_all:
            series.take(level, event)
        for series in self._of_event.get(event["event"], ()):
            series.take(level, event)

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Adds what is not made of events."""
        self._instruments += instruments

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now, for the registry."""
        for series in self._series:
            yield series.family()
        for instrument in self._instruments:
            yield instrument.family()

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format 0.0.4, with those of the process."""
        return generate_latest(self._registry)


def _reader(label: Label) -> Callable[[Event], str]:
    if callable(label):
        return label
    return lambda event: str(event.get(label, ""))


class _EventCounter:
    def __init__(self, definition: Counted) -> None:
        labels = definition.labels if definition.events else ("level", "event")
        self._counter = Counter(definition.name, definition.help, tuple(labels))
        for values in definition.from_start:
            self._counter.add(*values, amount=0)
        self._of_all, self._amount, self._having = not definition.events, definition.amount, definition.having
        self._read = tuple(map(_reader, definition.labels.values()))

    def take(self, level: str, event: Event) -> None:
        if self._having is not None and event.get(self._having) is None:
            return
        if self._of_all:
            name = event["event"]
            values: tuple[str, ...] = (level, name if self._counter.has_room(level, name) else OTHER)
        else:
            values = tuple([read(event) for read in self._read])
        self._counter.add(*values, amount=1.0 if self._amount is None else float(event.get(self._amount, 0)))

    def family(self) -> Metric:
        return self._counter.family()


class _EventHistogram:
    def __init__(self, definition: Timed) -> None:
        self._histogram = Histogram(definition.name, definition.help, tuple(definition.labels))
        self._milliseconds = definition.milliseconds
        self._read = tuple(map(_reader, definition.labels.values()))

    def take(self, _level: str, event: Event) -> None:
        milliseconds = event.get(self._milliseconds)
        if milliseconds is not None:
            self._histogram.add(milliseconds / 1000, *[read(event) for read in self._read])

    def family(self) -> Metric:
        return self._histogram.family()


class _Switch:
    def __init__(self, definition: Switched) -> None:
        self._definition, self._on, self._value = definition, frozenset(definition.on), 0.0

    def take(self, _level: str, event: Event) -> None:
        self._value = float(event["event"] in self._on)

    def family(self) -> Metric:
        return GaugeMetricFamily(self._definition.name, self._definition.help, value=self._value)
