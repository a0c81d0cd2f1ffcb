"""What the reads of a plan cost before they are made, each read once however many references share it."""

from collections.abc import Mapping, Sequence

from mcp_server.domain.prices import Dollars, Prices, in_words
from mcp_server.domain.schema import Schema
from mcp_server.engine.results import Cost
from mcp_server.planning.estimates import least_sure
from mcp_server.planning.plan import Read


def costs_of(reads: Sequence[Read], schemas: Mapping[str, Schema], prices: Prices) -> tuple[tuple[Dollars, ...], Cost]:
    """What each read costs, and all of them; they are made side by side."""
    each = tuple(prices.of(read.estimate.read_units, schemas[read.relation.table.schema].region) for read in reads)
    total = Cost(
        items=sum(read.estimate.items for read in reads),
        pages=sum(read.estimate.pages for read in reads),
        read_units=sum(read.estimate.read_units for read in reads),
        seconds=max((read.estimate.seconds for read in reads), default=0.0),
        on_demand_usd=sum(one.on_demand for one in each),
        provisioned_usd=sum(one.provisioned for one in each),
        basis="; ".join(dict.fromkeys(one.basis for one in each)) or "nothing is read",
        confidence=least_sure(read.estimate.confidence for read in reads),
    )
    return each, total


def cost_in_words(cost: Cost) -> str:
    """One line for people and models."""
    return (
        f"cost: {cost.items:,} items, {cost.pages:,} pages, {cost.read_units:,.1f} read units ({cost.confidence}), "
        f"about {cost.seconds:g} s; {in_words(cost.on_demand_usd)} on demand, or {in_words(cost.provisioned_usd)} of "
        f"provisioned capacity ({cost.basis})"
    )
