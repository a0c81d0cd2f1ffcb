"""What the reads of a plan cost before they are made, each read once however many references share it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcp_server.domain.prices import Dollars, Prices, both_in_words, sum_of
from mcp_server.domain.schema import Schema
from mcp_server.engine.results import Cost
from mcp_server.planning.estimates import least_sure
from mcp_server.planning.plan import Estimate, Read


def paced(reads: Sequence[Read], schemas: Mapping[str, Schema]) -> tuple[Read, ...]:
    """The reads, in the seconds that each takes at the read units per second that the operator allows its table."""
    return tuple(_paced(read, schemas[read.relation.table.schema].read_units_per_second) for read in reads)


def _paced(read: Read, rate: float | None) -> Read:
    if rate is None:
        return read
    others = (replace(one, estimate=_paced_estimate(one.estimate, rate)) for one in read.alternatives)
    return replace(read, estimate=_paced_estimate(read.estimate, rate), alternatives=tuple(others))


def _paced_estimate(one: Estimate, rate: float) -> Estimate:
    return replace(one, seconds=max(one.seconds, _paid_after(one.read_units, one.pages, rate)))


def _paid_after(read_units: float, pages: int, rate: float) -> float:
    """Seconds until so many read units are paid for. The first page of an idle table does not wait."""
    return round(read_units / rate, 3) if pages > 1 else 0.0


def _seconds(reads: Sequence[Read], schemas: Mapping[str, Schema]) -> float:
    """Reads are made side by side, but those of one table share its pace."""
    tables: dict[tuple[str, str], list[Estimate]] = {}
    for read in reads:
        table = read.relation.table
        tables.setdefault((table.schema, table.physical_name), []).append(read.estimate)
    seconds = [one.seconds for of_table in tables.values() for one in of_table]
    for (schema, _), of_table in tables.items():
        rate = schemas[schema].read_units_per_second
        if rate is not None:
            units, pages = sum(one.read_units for one in of_table), sum(one.pages for one in of_table)
            seconds.append(_paid_after(units, pages, rate))
    return max(seconds, default=0.0)


def costs_of(reads: Sequence[Read], schemas: Mapping[str, Schema], prices: Prices) -> tuple[tuple[Dollars, ...], Cost]:
    """What each read costs, and all of them."""
    each = tuple(prices.of(read.estimate.read_units, schemas[read.relation.table.schema].region) for read in reads)
    dollars = sum_of(each)
    total = Cost(
        items=sum(read.estimate.items for read in reads),
        pages=sum(read.estimate.pages for read in reads),
        read_units=sum(read.estimate.read_units for read in reads),
        seconds=_seconds(reads, schemas),
        dollars=dollars if each else replace(dollars, basis="nothing is read"),
        confidence=least_sure(read.estimate.confidence for read in reads),
    )
    return each, total


def cost_in_words(cost: Cost) -> str:
    """One line for people and models."""
    amounts = both_in_words(cost.dollars)
    return (
        f"cost: {cost.items:,} items, {cost.pages:,} pages, {cost.read_units:,.1f} read units ({cost.confidence}), "
        f"about {cost.seconds:g} s; "
        + (f"{amounts} ({cost.dollars.basis})" if amounts is not None else cost.dollars.basis)
    )
