"""What a query may be expected to take: so many read units unasked, beyond them only what somebody agreed to.

A person's yes to a question about so many read units is an agreement to as much, with a margin, since estimates change
meanwhile. So is a budget that the caller names, unless its client could ask the person. Both are about what is
expected: what ends a query that takes more is its budget (`meter.py`). A large scan that is allowed covers all of its
query: it is asked for before, with what the whole query costs. One that is not, since it is likely to end early, counts
with what is likely, and is ended where it takes more than a scan of a small table, or than anybody agreed to. A query
whose budget is no larger than what is unasked needs nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.prices import Dollars, Prices, sum_of
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.sharing import sources
from mcp_server.planning.access_path import FULL_SCAN_BYTES, full_scan_of
from mcp_server.planning.estimates import read_units
from mcp_server.planning.expectations import Observed, expected
from mcp_server.planning.plan import Read

MARGIN = 1.25
"""By which estimates are off at times: a yes covers so much more, and a budget that is named has it on top."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """What a scan may take that nobody allowed: so many items, and read units."""

    items: int
    read_units: float = math.inf

    def is_exceeded(self, scanned: int, read_units: float) -> bool:
        """Whether a scan that took so much has to end."""
        return scanned > self.items or read_units > self.read_units


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
        if self._is_unasked(reads):
            return None
        if any(map(full_scan_of, reads)):
            if self.allow_full_scan:
                return None
            reads = tuple(plan.begun([read], max_rows)[0] if full_scan_of(read) else read for read in reads)
            if self._is_unasked(reads):
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

    def unasked(self, read: Read) -> Unasked:
        """What a scan may take that nobody allowed.

        Of a table that seemed small only the items count: the whole of it was asked about before, if it is dear.
        """
        if not full_scan_of(read):
            return Unasked(self.limits.full_scan_items)
        most, unasked = read_units(FULL_SCAN_BYTES, consistent=read.consistent), self.limits.confirm_read_units
        return Unasked(self.limits.full_scan_items, min(most, max(unasked, self._agreed)) if unasked else most)

    def bounded(self, read: Read) -> Read:
        """The read, with what it takes at most as a scan that nobody allows: it ends there."""
        if read.at_most is None or not full_scan_of(read):
            return read
        most, whole = self.unasked(read), read.at_most
        units, items = min(most.read_units, whole.read_units), min(most.items, whole.items)
        return replace(read, at_most=replace(whole, items=items, read_units=units))

    def _is_unasked(self, reads: tuple[Read, ...]) -> bool:
        unasked = self.limits.confirm_read_units
        return not unasked or sum(read.estimate.read_units for read in reads) <= unasked

    @property
    def _agreed(self) -> float:
        named = self.max_read_units if self.budget_agrees else None
        return max(named or 0.0, (self.confirmed or 0.0) * MARGIN)

    def _refusal(self, items: int, read_units: Mapping[str, float], *, least: float) -> CostUnconfirmed | None:
        unasked, most = self.limits.confirm_read_units, self.limits.read_units
        budget = min(most, self.max_read_units or most)
        if not unasked or min(least, budget) <= unasked or self._agreed >= min(least, most):
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
