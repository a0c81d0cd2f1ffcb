"""What counts as growth over a long run."""

from collections import Counter

import pytest

from mcp_server.sql.gate.parse import parse
from tests.bench import soak_mcp
from tests.bench.measurement import Sample
from tests.bench.report import Circumstances, soaked_mcp
from tests.bench.soak import Part, Soaked
from tests.support.held_calls import ENDLESS_NUMBERS


def part(milliseconds: float, megabytes: int) -> Part:
    """A part in which everything took as long."""
    return Part(Sample(1.0, (milliseconds / 1e3,) * 10, cpu=0.0, generator=0.0, others=0.0), megabytes * 10**6)


def test_growth_is_between_the_second_and_the_last_third() -> None:
    """What the first third allocates and compiles is no leak, and neither is one slow part."""
    warm, flat, grown = part(9.0, 10), part(1.0, 100), part(2.0, 130)
    assert Soaked("soak/redis", [warm] * 3 + [flat] * 6).memory_growth == 1.0
    leaking = Soaked("soak/redis", [warm] * 3 + [flat] * 3 + [grown] * 3)
    assert leaking.memory_growth == pytest.approx(1.3)
    assert leaking.tail_growth == pytest.approx(2.0)
    assert Soaked("soak/redis", [warm] * 3 + [flat] * 5 + [grown]).tail_growth == 1.0


def test_the_computation_that_clients_leave_is_one_that_runs() -> None:
    """One that is refused would be over before they leave."""
    assert parse(ENDLESS_NUMBERS, None).tables == frozenset()


def test_what_failed_is_told_by_kind_of_client_and_what_grew_by_process() -> None:
    sample = part(1.0, 0).sample
    parts = [
        soak_mcp.Part(sample, Counter(good=10, hostile=5), megabytes * 10**6, 10**9, children=8, files=70)
        for megabytes in (50, 100, 110)
    ]
    run = soak_mcp.Soaked(parts, ("good groups: TimeoutError", "good groups: TimeoutError"))
    assert list(run.outcomes()) == [("good", 30, 2), ("hostile", 15, 0)]
    text = soaked_mcp(run, Circumstances("2026-01-01", "a machine", "abc"))
    assert "| failed calls of good clients (0), of 30 | 2 | no |" in text
    assert "| memory of the server, last third ÷ second third (≤ 1.05) | 1.10 | no |" in text
    assert "| memory of its processes, last third ÷ second third (≤ 1.05) | 1.00 | yes |" in text
