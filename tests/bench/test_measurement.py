"""How samples become medians, ratios and verdicts on goals."""

from collections.abc import Iterator

import pytest

from tests.bench.measurement import Above, AtLeast, Even, Plan, Rate, Result, Row, Sample, Subject, Within, measure


def sample(milliseconds: list[float], *, seconds: float = 1.0, cpu: float = 0.0) -> Sample:
    """A pass with these latencies."""
    latencies = tuple(latency / 1e3 for latency in milliseconds)
    return Sample(seconds, latencies, cpu=cpu, generator=0.0, others=0.0)


def result(ours: list[Sample], theirs: list[Sample]) -> Result:
    """A measured row of two subjects."""
    return Result(Row("row", "work", []), {"ours": ours, "theirs": theirs})


def test_a_ratio_is_the_median_of_the_ratios_within_the_passes() -> None:
    """A slow moment that hits both sides of one pass leaves the ratio as it is."""
    slow, fast = sample([1] * 10), sample([1] * 100)
    measured = result([slow, fast, fast], [slow, fast, fast])
    assert measured.ratio("theirs") == 1.0
    assert result([fast, fast, slow], [slow, slow, slow]).ratio("theirs") == 10.0


def test_cpu_is_told_for_one_operation() -> None:
    measured = result([sample([1] * 10, cpu=0.01)], [sample([1] * 10, cpu=0.02)])
    assert measured.medians("ours").cpu == pytest.approx(1000)
    assert measured.ratio("theirs", lambda each: each.cpu_each) == pytest.approx(0.5)


def test_goals_are_judged_by_our_own_figures() -> None:
    measured = result([sample([1.0] * 98 + [4.0, 4.0])], [sample([1.0] * 50)])
    assert AtLeast(2.0, "theirs").met(measured)
    assert not AtLeast(2.1, "theirs").met(measured)
    assert Within(0.5, 1.0).met(measured)
    assert not Within(0.99, 3.9).met(measured)
    assert Even(4.0).met(measured)
    assert not Even(3.9).met(measured)
    assert Above(0.99, 3.0, "theirs").met(measured)
    assert not Above(0.99, 2.9, "theirs").met(measured)
    assert Rate(1_000, "items", 10).met(measured)
    assert not Rate(1_001, "items", 10).met(measured)


def test_passes_are_interleaved_in_alternating_order_after_one_that_does_not_count() -> None:
    order: list[str] = []
    numbers: Iterator[int] = iter(range(100))

    def subject(name: str) -> Subject:
        def measured(seconds: float) -> Sample:
            order.append(name)
            return sample([float(next(numbers))], seconds=seconds)

        return Subject(name, measured)

    found = measure(Row("row", "work", [subject("a"), subject("b")]), Plan(passes=2, seconds=1.0))
    assert "".join(order) == "ab" + "ab" + "ba"
    assert [each.latencies for each in found.samples["a"]] == [(0.002,), (0.005,)]
