"""What a query may be expected to take: so many read units unasked, beyond them only what somebody agreed to.

A budget that the caller names is an agreement to as much, and so is a person's yes to a question about so many read
units, with a margin, since estimates change meanwhile. A large scan that the caller allows covers all of its query: it
is asked for before, with what the whole query costs. A query whose budget is no larger than what is unasked needs
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.prices import Dollars, Prices
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.sharing import sources
from mcp_server.planning.expectations import Observed, expected
from mcp_server.planning.plan import Read

MARGIN = 1.25
"""By which an estimate may have grown since a person agreed to it."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one query may take; `confirmed` are the read units that a person agreed to, None if nobody was asked."""

    limits: Limits
    prices: Prices
    schemas: Mapping[str, Schema]
    allow_full_scan: bool = False
    max_read_units: float | None = None
    confirmed: float | None = None

    def check(self, plan: Plan, reads: tuple[Read, ...], max_rows: int) -> None:
        """Asks whether a query may begin whose `reads` are expected to take so much. Raises Failure."""
        refusal = self.refusal(plan, reads, max_rows)
        if refusal is not None:
            raise Failure(refusal)

    def refusal(self, plan: Plan, reads: tuple[Read, ...], max_rows: int) -> CostUnconfirmed | None:
        """Why a query may not begin; None if it may. Of one that is read by the page its first page counts."""
        whole = sum(read.estimate.read_units for read in reads)
        if whole <= self.limits.confirm_read_units or (self.allow_full_scan and plan.large_scans):
            return None
        items, share = sum(read.estimate.items for read in reads), 1.0
        if items > max_rows and plan.resumable() is not None and _all_items_are_rows(reads):
            share = max_rows / items
        units = dict[str, float]()
        for read in reads:
            schema = read.relation.table.schema
            units[schema] = units.get(schema, 0.0) + read.estimate.read_units * share
        return self._refusal(round(items * share), units)

    def check_more(self, items: int, read_units: Mapping[str, float]) -> None:
        """Asks the same of a read that was decided on during the run, with all that was read before, by schema.

        A budget that the caller named is not asked about again, since it bounds the query anyway. Raises Failure.
        """
        if self.max_read_units is not None:
            return
        refusal = self._refusal(items, read_units)
        if refusal is not None:
            raise Failure(refusal)

    def _refusal(self, items: int, read_units: Mapping[str, float]) -> CostUnconfirmed | None:
        unasked, most, takes = self.limits.confirm_read_units, self.limits.read_units, sum(read_units.values())
        budget = min(most, self.max_read_units or most)
        agreed = self.max_read_units if self.max_read_units is not None else (self.confirmed or 0.0) * MARGIN
        if not unasked or min(takes, budget) <= unasked or agreed >= min(takes, most):
            return None
        return CostUnconfirmed(items, takes, self._dollars(read_units), unasked, most)

    def _dollars(self, read_units: Mapping[str, float]) -> Dollars:
        each = [self.prices.of(units, self.schemas[name].region) for name, units in read_units.items()]
        return Dollars(
            on_demand=sum(one.on_demand for one in each),
            provisioned=sum(one.provisioned for one in each),
            basis="; ".join(dict.fromkeys(one.basis for one in each)),
        )


def expected_reads(plan: Plan, observed: Observed) -> tuple[Read, ...]:
    """The reads that a plan performs, each once, with what they are expected to take."""
    made = sources(plan.reads)
    by_relation = {relation.name: source.read for source in made for relation in source.relations}
    return expected([source.read for source in made], by_relation, observed)


def _all_items_are_rows(reads: tuple[Read, ...]) -> bool:
    """Whether a page is full after as many items as it has rows."""
    return not any(read.pushed_filters or read.residual_filters for read in reads)
