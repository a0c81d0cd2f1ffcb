"""Dollars of read units: by region, by billing mode, or at the operator's own price."""

import pytest

from mcp_server.domain.prices import AS_OF, Prices, in_words


def test_a_million_read_units_cost_the_list_price_of_their_region() -> None:
    dollars = Prices().of(1_000_000, "us-east-1")
    assert dollars.on_demand == pytest.approx(0.125)
    assert dollars.provisioned == pytest.approx(0.0361, abs=1e-4)
    assert dollars.basis == f"list price of us-east-1, {AS_OF}"


def test_a_region_without_a_price_says_whose_price_it_is() -> None:
    assert Prices().of(1, "eu-north-7").basis == f"list price of us-east-1, for want of eu-north-7, {AS_OF}"


def test_the_operators_price_overrides_both_modes_everywhere() -> None:
    dollars = Prices(million=0.5).of(2_000_000, "us-east-1")
    assert (dollars.on_demand, dollars.provisioned, dollars.basis) == (1.0, 1.0, "the operator's price")


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0.0, "$0.00"), (1234.5, "$1,234.50"), (0.0125, "$0.01"), (0.0000625, "$0.0000625"), (1e-9, "under $0.0000001")],
)
def test_amounts_are_told_with_digits_that_matter(amount: float, words: str) -> None:
    assert in_words(amount) == words
