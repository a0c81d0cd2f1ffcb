"""What is measured and how it is summed up: samples of interleaved passes, their medians, and ratios with goals."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One pass over one subject. `latencies` and `cpu` are in seconds; `cpu` is the server's, user and system.

    `generator` is the share of its own core that the load generator needed, `others` the share of the servers' core
    that went to processes outside the measurement.
    """

    seconds: float
    latencies: tuple[float, ...]
    cpu: float
    generator: float
    others: float

    @property
    def rate(self) -> float:
        """Operations in a second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU seconds for one operation."""
        return self.cpu / max(1, len(self.latencies))

    def percentile(self, share: float) -> float:
        """The latency that `share` of the operations stay within."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Subject:
    """What one column of a row measures: its name, and one pass of so many seconds."""

    name: str
    measure: Callable[[float], Sample]


@dataclass(frozen=True, slots=True)
class Medians:
    """A subject's passes in one line; times in milliseconds, `cpu` in microseconds for one operation."""

    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    generator: float
    others: float


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row. The first subject is ours; `samples` holds each subject's passes in order."""

    row: "Row"
    samples: Mapping[str, Sequence[Sample]]

    @property
    def ours(self) -> str:
        """The name of the subject that the goals are about."""
        return next(iter(self.samples))

    def medians(self, subject: str) -> Medians:
        """The medians over a subject's passes."""
        passes = self.samples[subject]

        def median(value: Callable[[Sample], float]) -> float:
            return statistics.median(map(value, passes))

        return Medians(
            rate=median(lambda sample: sample.rate),
            p50=median(lambda sample: sample.percentile(0.50) * 1e3),
            p95=median(lambda sample: sample.percentile(0.95) * 1e3),
            p99=median(lambda sample: sample.percentile(0.99) * 1e3),
            cpu=median(lambda sample: sample.cpu_each * 1e6),
            generator=median(lambda sample: sample.generator),
            others=median(lambda sample: sample.others),
        )

    def ratio(self, other: str, value: Callable[[Sample], float] = lambda sample: sample.rate) -> float:
        """Ours over the other's, pass by pass, the median of it: what slows the whole machine down slows both."""
        pairs = zip(self.samples[self.ours], self.samples[other], strict=True)
        return statistics.median(value(ours) / value(theirs) for ours, theirs in pairs if value(theirs))


class Goal(Protocol):
    """What a row should reach."""

    @property
    def text(self) -> str:
        """The goal in words."""

    def reached(self, result: Result) -> float:
        """The figure that the goal is about."""

    def met(self, result: Result) -> bool:
        """Whether the figure satisfies it."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Our rate is at least so many times the rate of `other`."""

    times: float
    other: str

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"≥ {self.times} × {self.other}"

    def reached(self, result: Result) -> float:
        """Our rate over theirs."""
        return result.ratio(self.other)

    def met(self, result: Result) -> bool:
        """Whether we are that fast."""
        return self.reached(result) >= self.times


@dataclass(frozen=True, slots=True)
class Within:
    """A percentile of our latency stays within so many milliseconds."""

    percentile: float
    milliseconds: float

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"p{self.percentile * 100:.0f} ≤ {self.milliseconds:g} ms"

    def reached(self, result: Result) -> float:
        """The percentile in milliseconds, the median over the passes."""
        return statistics.median(sample.percentile(self.percentile) * 1e3 for sample in result.samples[result.ours])

    def met(self, result: Result) -> bool:
        """Whether it stays within."""
        return self.reached(result) <= self.milliseconds


@dataclass(frozen=True, slots=True)
class Above:
    """A percentile of our latency is at most so many milliseconds above that of `other`."""

    percentile: float
    milliseconds: float
    other: str

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"p{self.percentile * 100:.0f} ≤ {self.milliseconds:g} ms above {self.other}"

    def reached(self, result: Result) -> float:
        """How far above it is in milliseconds, the median over the passes."""
        pairs = zip(result.samples[result.ours], result.samples[self.other], strict=True)
        return statistics.median(
            (ours.percentile(self.percentile) - theirs.percentile(self.percentile)) * 1e3 for ours, theirs in pairs
        )

    def met(self, result: Result) -> bool:
        """Whether we are that near."""
        return self.reached(result) <= self.milliseconds


@dataclass(frozen=True, slots=True)
class Rate:
    """So many things in a second; one operation is about `each` of them."""

    things: float
    what: str
    each: int = 1

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"≥ {self.things:,.0f} {self.what}/s"

    def reached(self, result: Result) -> float:
        """How many they are."""
        return result.medians(result.ours).rate * self.each

    def met(self, result: Result) -> bool:
        """Whether they are that many."""
        return self.reached(result) >= self.things


@dataclass(frozen=True, slots=True)
class Even:
    """Our p99 is at most so many times our p50."""

    times: float

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"p99 ≤ {self.times:g} × p50"

    def reached(self, result: Result) -> float:
        """p99 over p50, the median over the passes."""
        return statistics.median(
            sample.percentile(0.99) / sample.percentile(0.50) for sample in result.samples[result.ours]
        )

    def met(self, result: Result) -> bool:
        """Whether the tail is that short."""
        return self.reached(result) <= self.times


@dataclass(frozen=True, slots=True)
class Row:
    """One line of work, the same for every subject; the first subject is ours."""

    name: str
    work: str
    subjects: Sequence[Subject]
    goals: Sequence[Goal] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a run measures."""

    passes: int
    seconds: float


def measure(row: Row, plan: Plan) -> Result:
    """Interleaves the passes: each subject once per pass, the order reversed from pass to pass.

    A first pass is thrown away: it warms caches, and the compilers of the peers' runtimes.
    """
    samples: dict[str, list[Sample]] = {subject.name: [] for subject in row.subjects}
    for subject in row.subjects:
        subject.measure(plan.seconds)
    for number in range(plan.passes):
        for subject in row.subjects if number % 2 == 0 else reversed(row.subjects):
            samples[subject.name].append(subject.measure(plan.seconds))
    return Result(row, samples)
