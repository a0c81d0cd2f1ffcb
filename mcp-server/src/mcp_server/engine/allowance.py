"""What a query may be expected to take: so many read units unasked, beyond them only what somebody agreed to.

A person's yes to a question about so many read units is an agreement to as much, with a margin, since estimates change
meanwhile. So is a budget that the caller names, unless its client could ask the person. Both are about what is
expected: what ends a query that takes more is its budget (`meter.py`). A large scan that is allowed covers all of its
query: it is asked for before, with what the whole query costs. A query whose budget is no larger than what is unasked
needs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.prices import Dollars, Prices, sum_of
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.sharing import sources
from mcp_server.planning.estimates import read_units
from mcp_server.planning.expectations import Observed, expected, filling, stopping
from mcp_server.planning.plan import Read

MARGIN = 1.25
"""By which estimates are off at times: a yes covers so much more, and a budget that is named has it on top."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one query may take; `confirmed` are the read units that a person agreed to, None if nobody was asked.

    `budget_agrees` says whether `max_read_units`, which a model chose, stands for an agreement.
    """

    limits: Limits
    prices: Prices
    schemas: Mapping[str, Schema]
    allow_full_scan: bool = False
    max_read_units: float | None = None
    confirmed: float | None = None
    budget_agrees: bool = True

    def check(self, plan: Plan, reads: tuple[Read, ...], max_rows: int) -> None:
        """Asks whether a query may begin whose `reads` are expected to take so much. Raises Failure."""
        refusal = self.refusal(plan, reads, max_rows)
        if refusal is not None:
            raise Failure(refusal)

    def refusal(self, plan: Plan, reads: tuple[Read, ...], max_rows: int) -> CostUnconfirmed | None:
        """Why a query may not begin; None if it may. Of one that is read by the page its first page counts."""
        whole = sum(read.estimate.read_units for read in reads)
        unasked = self.limits.confirm_read_units
        if not unasked or whole <= unasked or (self.allow_full_scan and plan.large_scans):
            return None
        items, share = sum(read.estimate.items for read in reads), 1.0
        if items > max_rows and plan.resumable() is not None and _all_items_are_rows(reads):
            share = max_rows / items
        units = dict[str, float]()
        for read in reads:
            schema = read.relation.table.schema
            units[schema] = units.get(schema, 0.0) + read.estimate.read_units * share
        return self._refusal(round(items * share), units, least=sum(units.values()))

    def check_more(self, items: int, read_units: Mapping[str, float], *, least: float) -> None:
        """Asks the same of a read that was decided on during the run, with all that was read before, by schema.

        Only if `least`, too, is more than anybody agreed to. A budget that is an agreement is not asked about again,
        since it bounds the query anyway. Raises Failure.
        """
        if self.max_read_units is not None and self.budget_agrees:
            return
        refusal = self._refusal(items, read_units, least=least)
        if refusal is not None:
            raise Failure(refusal)

    def _refusal(self, items: int, read_units: Mapping[str, float], *, least: float) -> CostUnconfirmed | None:
        unasked, most = self.limits.confirm_read_units, self.limits.read_units
        budget = min(most, self.max_read_units or most)
        named = self.max_read_units if self.budget_agrees else None
        agreed = max(named or 0.0, (self.confirmed or 0.0) * MARGIN)
        if not unasked or min(least, budget) <= unasked or agreed >= min(least, most):
            return None
        return CostUnconfirmed(
            items, sum(read_units.values()), self._dollars(read_units), unasked=unasked, budget=budget, most=most
        )

    def _dollars(self, read_units: Mapping[str, float]) -> Dollars:
        return sum_of(self.prices.of(units, self.schemas[name].region) for name, units in read_units.items())


def expected_reads(plan: Plan, observed: Observed) -> tuple[Read, ...]:
    """The reads that a plan performs, each once, with what they are expected to take."""
    made = sources(plan.reads)
    by_relation = {relation.name: source.read for source in made for relation in source.relations}
    return expected([source.read for source in made], by_relation, observed)


def likely_reads(plan: Plan, reads: Sequence[Read]) -> tuple[Read, ...]:
    """The reads that are expected, with what is likely where reading ends early: to be told, not to decide by."""
    if (first := plan.first_rows()) is not None:
        _, _, rows = first
        return tuple(filling(read, rows) for read in reads)
    return tuple(map(stopping, reads))


def sure_to_take(plan: Plan) -> float:
    """The read units of scans that statistics tell, and the least of single keys; of what nothing is likely to end."""
    if any(word in plan.query.statement for word in ("LIMIT", "EXISTS")) or plan.resumable() is not None:
        return 0.0
    reads = [source.read for source in sources(plan.reads)]
    return sum(_least(read) for read in reads if read.stage is None and read.enough is None)


def _least(read: Read) -> float:
    if read.access == "Scan" and read.estimate.confidence == "estimated":
        return read.estimate.read_units
    # "BatchGetItem": each key is an item of its own, or costs as much where there is none.
    keys = sum(len(one.arguments["Keys"]) for one in read.requests if one.operation == "BatchGetItem")
    return keys * read_units(0, consistent=read.consistent)


def _all_items_are_rows(reads: tuple[Read, ...]) -> bool:
    """Whether a page is full after as many items as it has rows."""
    return not any(read.pushed_filters or read.residual_filters for read in reads)
