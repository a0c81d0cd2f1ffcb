"""What counts as growth over a long run."""

import pytest

from tests.bench.measurement import Sample
from tests.bench.soak import Part, Soaked


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
