"""What read units cost in US dollars: a dated table of list prices, which an operator's own price overrides.

A read unit is one strongly consistent read of up to 4 KB, or two eventually consistent ones, under both billing modes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

AS_OF = "2025-07-21"
"""The day of the list prices below: US East, standard table class, before tax.

Those on demand are Amazon's as https://airbyte.com/data-engineering-resources/dynamodb-pricing quotes them.
"""


@dataclass(frozen=True, slots=True)
class ReadPrices:
    """US dollars for a million read units on demand, and for one provisioned read unit per second over an hour."""

    on_demand_million: float
    provisioned_hour: float


DEFAULT = ReadPrices(on_demand_million=0.125, provisioned_hour=0.00013)

LIST_PRICES: Mapping[str, ReadPrices] = dict.fromkeys(("us-east-1", "us-east-2", "us-west-2"), DEFAULT)
"""By region. Any other of AWS's partition `aws` costs a tenth to a half more, and is told at DEFAULT: prices say so."""

_OF_AWS = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+")
"""The regions of that partition, as botocore's partitions.json writes them. Those of China are paid in another
currency, and those of governments and of the European Sovereign Cloud have prices that are not known here.
"""
_FIPS = "-fips"
"""Ends the names by which botocore knows other endpoints of the same regions."""


@dataclass(frozen=True, slots=True)
class Dollars:
    """What some read units cost, by billing mode; None where no price is known.

    `provisioned` is their share of capacity that is paid for by the hour, used in full. `basis` says whose price it is,
    or that there is none.
    """

    on_demand: float | None
    provisioned: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one deployment; `million` is the operator's own price of a million read units, in any region."""

    million: float | None = None

    def of(self, read_units: float, region: str) -> Dollars:
        """What that many read units cost in a region."""
        if self.million is not None:
            own = read_units * self.million / 1_000_000
            return Dollars(own, own, "the operator's price")
        region = region.removesuffix(_FIPS)
        listed = LIST_PRICES.get(region)
        if listed is None and _OF_AWS.fullmatch(region) is None:
            return Dollars(None, None, f"no price of {region} is known")
        prices = listed or DEFAULT
        where = region if listed is not None else f"us-east-1, for want of {region}"
        return Dollars(
            on_demand=read_units * prices.on_demand_million / 1_000_000,
            provisioned=read_units * prices.provisioned_hour / 3600,
            basis=f"list price of {where}, {AS_OF}",
        )


def sum_of(each: Iterable[Dollars]) -> Dollars:
    """What several reads cost together: nothing is known where the price of one of them is not."""
    found = tuple(each)
    return Dollars(
        on_demand=_sum(one.on_demand for one in found),
        provisioned=_sum(one.provisioned for one in found),
        basis="; ".join(dict.fromkeys(one.basis for one in found)),
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    known: list[float] = []
    for amount in amounts:
        if amount is None:
            return None
        known.append(amount)
    return sum(known)


def both_in_words(dollars: Dollars) -> str | None:
    """What it is by each billing mode, for people; None where no price is known."""
    if dollars.on_demand is None or dollars.provisioned is None:
        return None
    return f"{in_words(dollars.on_demand)} on demand, or {in_words(dollars.provisioned)} of provisioned capacity"


def in_words(dollars: float) -> str:
    """An amount for people: cents where it is at least one, else as many digits as tell it from nothing."""
    if dollars >= 0.01 or dollars == 0:
        return f"${dollars:,.2f}"
    return f"${dollars:.7f}".rstrip("0") if dollars >= 1e-7 else "under $0.0000001"
