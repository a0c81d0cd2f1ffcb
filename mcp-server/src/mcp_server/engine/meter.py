"""What a query has read so far, and the bounds that it runs into."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.budgets import BudgetSpent, BudgetTooSmall, BudgetTooSmallForRead, Counted
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.failures.scans import ScanForKeys, ScanWentOn
from mcp_server.domain.schema import Table
from mcp_server.engine.allowance import Allowance, Unasked
from mcp_server.engine.limits import Limits
from mcp_server.engine.no_maps import no_lists, no_maps
from mcp_server.engine.no_numbers import no_numbers
from mcp_server.engine.observations import Lessons
from mcp_server.engine.spending import Account
from mcp_server.planning.access_path import full_scan_of
from mcp_server.planning.advice import large_table, scanned
from mcp_server.planning.plan import Read, Relation
from mcp_server.ports.items import Consumption, Observer
from mcp_server.ports.usage import TableUsage

BY_FAR = 4.0
"""What several Queries take together is rarely this many times less than the mean partition lets expect."""


class Meter:
    """Adds up what every response took. It counts what was observed, since statistics are hours old."""

    def __init__(
        self,
        limits: Limits,
        *,
        max_read_units: float | None,
        allow_full_scan: bool,
        account: Account | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self._limits, self._account, self._allowance = limits, account, allowance
        self._read_units_limit = min(limits.read_units, max_read_units or limits.read_units)
        self._allow_full_scan = allow_full_scan
        self.items = 0
        self.items_seen = 0
        """Those of the items that the caller may see: the number of all would tell whether there are others."""
        self.pages = 0
        self.bytes = 0
        self.read_units = 0.0
        self.reads: dict[tuple[str, str], TableUsage] = {}
        """What came from each table, by its schema and name; of its items those that the caller may see."""
        self.no_numbers: dict[tuple[str, str, str], int] = {}
        """By the schema and name of a table, and a part of it: values that were compared with a number and are none."""
        self.no_maps: dict[tuple[str, str, str], int] = {}
        """By the schema and name of a table, and a part of it: values whose fields were read, and that are no maps."""
        self.no_lists: dict[tuple[str, str, str], int] = {}
        """The same of values whose elements were read, and that are no lists."""
        self.unshown: dict[tuple[str, str], set[str]] = {}
        """By the schema and name of a table, attributes met that `*` does not show."""
        self.lessons: Lessons | None = None
        """What learns from the reads of the plan that runs; nothing does once that has failed, or its caller left."""
        self.scan_ended: Unasked | None = None
        """What the scan that fills a page might take unasked, once it took more."""
        self._observers: list[Observer] = []

    @property
    def observers(self) -> Sequence[Observer]:
        """Those of all reads so far."""
        return self._observers

    def observer(self, read: Read, *, by_page: bool = False) -> Observer:
        """Observes the responses of one read. It raises Failure: budget_exceeded, full_scan_refused.

        A scan that a page can go on with is not refused where it ends unasked: `scan_ended` tells of it from there on.
        """
        scanned, units = 0, 0.0
        table, unasked = read.relation.table, self._unasked(read)
        self.scan_ended = None
        learn = self.lessons.observer(read) if self.lessons is not None else None

        def observe(consumption: Consumption) -> None:
            nonlocal scanned, units
            self._take(table, consumption, 0 if table.is_partial else consumption.items)
            if consumption.unshown:
                self.unshown.setdefault(_key(table), set()).update(consumption.unshown)
            scanned, units = scanned + consumption.scanned, units + consumption.read_units
            if unasked is not None and unasked.is_exceeded(scanned, units):
                if not by_page:
                    early = full_scan_of(read)
                    raise Failure(ScanWentOn(large_table(read), unasked.items, unasked.read_units, early))
                self.scan_ended = unasked
            self._check()
            if learn is not None and self.lessons is not None:
                learn(consumption)

        self._observers.append(observe)
        return observe

    def may_end_unasked(self, read: Read) -> bool:
        """Whether it is a scan that ends where it takes more than it may unasked."""
        return self._unasked(read) is not None

    def _unasked(self, read: Read) -> Unasked | None:
        """What a scan may take that nobody allowed; None of any other read."""
        if read.access != "Scan" or self._allow_full_scan:
            return None
        return self._allowance.unasked(read) if self._allowance is not None else Unasked(self._limits.full_scan_items)

    def prober(self, table: Table) -> Observer:
        """Observes the responses of a search for a column. Raises Failure (budget_exceeded), as the observer does."""
        self._check()

        def observe(consumption: Consumption) -> None:
            self._take(table, consumption, 0)  # how many items have an attribute may be hidden
            self._check()

        return observe

    def look(self, relation: Relation, page: pa.RecordBatch) -> None:
        """Counts what is compared with a number, or read as a map or a list, and is none.

        `page` has the relation's columns in their order.
        """
        for asked, count, counts in (
            (relation.as_numbers, no_numbers, self.no_numbers),
            (relation.as_maps, no_maps, self.no_maps),
            (relation.as_lists, no_lists, self.no_lists),
        ):
            for name, found in (count(relation, page) if asked else {}).items():
                key = relation.table.schema, relation.table.name, name
                counts[key] = counts.get(key, 0) + found

    def saw(self, read: Read, items: int) -> None:
        """Takes note of the items of a read that are there for the caller."""
        if read.relation.table.is_partial:
            self._add(_key(read.relation.table), items, 0.0, 0)

    def begin(self, expected: float) -> None:
        """Asks whether reads may begin that take about that many read units. Raises Failure: budget_exceeded."""
        if expected > self._read_units_limit:
            raise Failure(BudgetTooSmall(expected, self._read_units_limit, self._limits.read_units))
        if self._account is not None:
            self._account.check(expected)

    def ask(self, read: Read) -> None:
        """Asks whether a read may begin that was decided on during the run.

        Raises Failure: budget_exceeded where it is likely to exceed what is left, full_scan_refused, or
        confirmation_required; a scan that is allowed needs no other confirmation. Of partitions a mean is known at
        best, so Queries are refused only if they would exceed it by far: what is read is counted page by page in any
        case.
        """
        if full_scan_of(read) and not self._allow_full_scan:
            raise Failure(ScanForKeys(large_table(read)))
        expected = self.read_units + read.estimate.read_units
        least = self.read_units + read.estimate.read_units / (BY_FAR if read.access in ("Query", "Union") else 1.0)
        if least > self._read_units_limit:
            raise Failure(BudgetTooSmallForRead(expected, self._read_units_limit, self._limits.read_units))
        if self._allowance is not None and not full_scan_of(read):
            units = {read.relation.table.schema: read.estimate.read_units}
            for usage in self.reads.values():
                units[usage.schema] = units.get(usage.schema, 0.0) + usage.read_units
            self._allowance.check_more(self.items_seen + read.estimate.items, units, least=least)

    def all_told(self, failure: Failure, reads: Sequence[Read]) -> Failure:
        """A failure of the run of these reads, with what they scan where it is about what they take.

        A scan that went on comes with the read units that were spent by now. Where it tells what a budget was spent on,
        it comes with all that was read by now, and what they were expected to take.
        """
        fact = failure.fact
        if isinstance(fact, ScanWentOn):
            return Failure(replace(fact, spent=self.read_units))
        if not isinstance(fact, BudgetSpent | BudgetTooSmall | BudgetTooSmallForRead | CostUnconfirmed):
            return failure
        fact = replace(fact, scanned=scanned(reads))
        if isinstance(fact, BudgetSpent):
            spent = {unit: spent for spent, _, unit, _ in self._budgets()}[fact.unit]
            expected = sum(read.estimate.read_units for read in reads)
            is_known = fact.unit == "read units" and expected > max(spent, fact.budget)
            fact = replace(fact, spent=spent, expected=expected if is_known else 0.0)
        return Failure(fact)

    def _take(self, table: Table, consumption: Consumption, seen: int) -> None:
        self.items += consumption.items
        self._add(_key(table), seen, consumption.read_units, 1)
        self.pages += 1
        self.bytes += consumption.bytes
        self.read_units += consumption.read_units
        if self._account is not None:
            self._account.spend(consumption.read_units)

    def _add(self, key: tuple[str, str], items: int, read_units: float, requests: int) -> None:
        self.items_seen += items
        before = self.reads.get(key, TableUsage(*key, 0, 0.0))
        self.reads[key] = TableUsage(
            *key, before.items + items, before.read_units + read_units, before.requests + requests
        )

    def _check(self) -> None:
        if self._account is not None:
            self._account.check()
        for spent, budget, unit, most in self._budgets():
            if spent > budget:
                raise Failure(BudgetSpent(spent, budget, unit, most))

    def _budgets(self) -> tuple[tuple[float, float, Counted, float], ...]:
        """What was spent, of what, in which unit, and the largest budget that a caller can ask for."""
        limits = self._limits
        return (
            (self.read_units, self._read_units_limit, "read units", limits.read_units),
            (self.pages, limits.read_pages, "pages", limits.read_pages),
            (self.bytes, limits.read_bytes, "bytes", limits.read_bytes),
        )


def _key(table: Table) -> tuple[str, str]:
    return table.schema, table.name
