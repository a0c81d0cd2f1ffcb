"""Dollars of read units: by region, by billing mode, or at the operator's own price."""

import pytest
from botocore.session import get_session

from mcp_server.domain.prices import AS_OF, LIST_PRICES, Dollars, Prices, both_in_words, in_words, sum_of


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


def regions_of(partition: str) -> set[str]:
    """Those of which botocore knows, of all services, and endpoints of DynamoDB that bear names like regions."""
    session = get_session()
    (found,) = [one for one in session.get_data("partitions")["partitions"] if one["id"] == partition]
    endpoints = session.get_available_regions("dynamodb", partition_name=partition, allow_non_regional=True)
    return {name for name in (*found["regions"], *endpoints) if name != "local" and not name.endswith("-global")}


def test_every_region_of_aws_that_botocore_knows_has_a_list_price_or_says_whose_it_takes() -> None:
    regions = regions_of("aws")
    assert LIST_PRICES.keys() < regions
    for region in regions:
        dollars = Prices().of(1_000_000, region)
        listed = region.removesuffix("-fips")
        own = f"list price of {listed}, {AS_OF}"
        other = f"list price of us-east-1, for want of {listed}, {AS_OF}"
        assert dollars.basis == (own if listed in LIST_PRICES else other)
        assert dollars.on_demand


def test_no_price_is_guessed_of_regions_in_other_partitions_and_of_what_is_none() -> None:
    partitions = set(get_session().get_available_partitions()) - {"aws"}
    others = {region for partition in partitions for region in regions_of(partition)}
    assert {"cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1"} < others
    for region in (*others, "local", "mars-1", "us-east"):
        dollars = Prices().of(1, region)
        told = f"no price of {region.removesuffix('-fips')} is known"
        assert (dollars, both_in_words(dollars)) == (Dollars(None, None, told), None)
        assert Prices(million=0.5).of(2_000_000, region).on_demand == 1.0


def test_a_sum_is_unknown_where_one_price_is() -> None:
    prices = Prices()
    here, there, away = (prices.of(1_000_000, region) for region in ("us-east-1", "us-west-2", "cn-north-1"))
    assert sum_of([here, there]).on_demand == pytest.approx(0.25)
    assert sum_of([here, away]) == Dollars(None, None, f"{here.basis}; no price of cn-north-1 is known")
    assert sum_of([]) == Dollars(0, 0, "")


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0.0, "$0.00"), (1234.5, "$1,234.50"), (0.0125, "$0.01"), (0.0000625, "$0.0000625"), (1e-9, "under $0.0000001")],
)
def test_amounts_are_told_with_digits_that_matter(amount: float, words: str) -> None:
    assert in_words(amount) == words
