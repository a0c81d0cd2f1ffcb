"""Shares of ranges by a sample are near those of all values; where the sample says nothing, there is a floor."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from mcp_server.domain.distribution import FEWEST, Distribution, End, distribution

VALUES = 20_000
SAMPLED = 800


def whole(draw: random.Random) -> Decimal:
    return Decimal(draw.randrange(1_000_000))


def skewed(draw: random.Random) -> Decimal:
    return Decimal(round(draw.lognormvariate(3, 2), 2))


def day(draw: random.Random) -> str:
    return (date(2015, 1, 1) + timedelta(draw.randrange(3000))).isoformat()


def moment(draw: random.Random) -> str:
    return (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(30_000_000))).isoformat()


def kind(draw: random.Random) -> str:
    return f"{draw.choice(('ORDER#', 'ORDER#', 'ITEM#', 'PROFILE'))}{draw.randrange(10**8):08d}"


def name(draw: random.Random) -> str:
    return "".join(draw.choices("aàbcdeéfghiklmnoprstz", k=draw.randrange(1, 12)))


DRAWS: tuple[Callable[[random.Random], str] | Callable[[random.Random], Decimal], ...] = (
    whole,
    skewed,
    day,
    moment,
    kind,
    name,
)


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("most", [40, 200])
def test_shares_of_ranges_are_near_the_true_ones(draw: Callable[[random.Random], str], most: int) -> None:
    chance = random.Random(draw.__name__)
    values = sorted(draw(chance) for _ in range(VALUES))
    known = distribution(chance.sample(values, SAMPLED), 1.0, VALUES, most)
    assert known is not None
    for _ in range(300):
        low, high = sorted((draw(chance), draw(chance)))
        true = (bisect_right(values, high) - bisect_left(values, low)) / VALUES
        assert known.between(End(low, True), End(high, True)) == pytest.approx(true, abs=0.07)
        above = 1 - bisect_right(values, low) / VALUES
        assert known.between(End(low, False), None) == pytest.approx(above, abs=0.07)
        assert known.between(None, End(low, True)) == pytest.approx(1 - above, abs=0.07)


@pytest.mark.parametrize(("draw", "low", "high"), [(whole, Decimal(500_000), Decimal(500_999)),
    (moment, "2025-03-01T00:00:00+00:00", "2025-03-01T10:00:00+00:00")])  # fmt: skip
def test_ranges_between_two_sampled_values_are_told_from_larger_ones(
    draw: Callable[[random.Random], str], low: str, high: str
) -> None:
    chance = random.Random(1)
    values = [draw(chance) for _ in range(VALUES)]
    known = distribution(values[:SAMPLED], 1.0, VALUES, 200)
    assert known is not None
    true = sum(low <= value <= high for value in values) / VALUES
    assert true / 4 < known.between(End(low, True), End(high, True)) < 4 * true


def test_what_lies_beyond_the_sample_has_a_share_all_the_same() -> None:
    known = distribution([f"2026-01-{day:02d}" for day in range(1, 32)], 1.0, 10_000, 200)
    assert known is not None
    for low, high in (
        (End("2026-02-01", True), None),
        (None, End("2025", True)),
        (End("2027", True), End("2028", True)),
    ):
        assert known.between(low, high) == known.floor == 1 / 33


def test_values_that_many_items_have_are_counted() -> None:
    known = distribution(["open"] * 90 + ["paid"] * 10, 1.0, 1000, 40)
    assert known is not None
    assert known.share_of("open") == pytest.approx(0.9, abs=0.03)
    assert known.between(End("open", False), None) == pytest.approx(0.1, abs=0.03)
    assert known.between(End("open", True), End("open", True)) == pytest.approx(0.9, abs=0.03)


def test_a_value_of_many_has_its_share_of_all_of_them() -> None:
    chance = random.Random(2)
    known = distribution([Decimal(chance.randrange(400)) for _ in range(800)], 1.0, 100_000, 40)
    assert known is not None
    assert 1 / 800 < known.share_of(Decimal(7)) < 1 / 200


def test_a_few_values_tell_nothing() -> None:
    assert distribution(["a"] * (FEWEST - 1), 1.0, 1000, 40) is None


@pytest.mark.parametrize("value", ["", "\U0010ffff", "b", "bb", "ab", "a\0"])
def test_every_text_has_a_place(value: str) -> None:
    known = Distribution(("", "a", "a", "a", "ab", "abc", "b", "\U0010ffff"), 8, 6.0)
    assert 0 < known.between(End(value, True), None) <= 1
    assert 0 < known.between(None, End(value, False)) <= 1
    assert 0 < known.share_of(value) <= 1
