"""usage: what the statements of a principal, or of its whole tenant, have read and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from mcp_server.access.policy import sees_all_usage
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.access import WorkspaceUsageDenied
from mcp_server.domain.failures.arguments import ArgumentOutOfRange
from mcp_server.domain.failures.availability import UsageNotTold
from mcp_server.domain.prices import Dollars, Prices, sum_of
from mcp_server.domain.principal import Principal
from mcp_server.engine.limits import BUSY_SECONDS
from mcp_server.engine.schemas import Schemas
from mcp_server.ports.usage import DAYS_KEPT, TableDay, Total, UsageRecords, UsageUnavailable
from shared_kernel.clock import Clock

Whose = Literal["mine", "workspace"]
NAMED_PEOPLE = 50
"""Of a workspace's people those are named who read most."""
LINES = 500
"""Most tables and days that a report tells apart; those of the latest days, which read most."""
WITHHELD = "*"
"""Stands for all tables of a schema of which a rule keeps something from the reader; no table has that name."""


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What was read of one table on one day, and what it costs in US dollars on demand, if a price is known."""

    read: TableDay
    usd: float | None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was read from the first day to the last (UTC), the latest first; `usd` where all prices are known.

    `people` are None in a report of one's own. It `withholds` where a rule keeps something of a table that was read
    from the reader: the line of such tables, and people, then have no items and rows, only what they cost.
    """

    first: date
    last: date
    lines: Sequence[UsageLine]
    read_units: float
    usd: float | None
    basis: str
    people: Mapping[str, Total] | None
    withholds: bool
    truncated: bool


class UsageService:
    """Tells principals what they read; owners and admins what everybody in their workspace read."""

    def __init__(self, *, records: UsageRecords, schemas: Schemas, prices: Prices, clock: Clock) -> None:
        self._records, self._schemas, self._prices, self._clock = records, schemas, prices, clock

    async def report(self, principal: Principal, *, whose: Whose = "mine", days: int = 7) -> UsageReport:
        """What was read on the last days, today among them. Raises Failure: access_denied, source_unavailable."""
        if not 1 <= days <= DAYS_KEPT:
            raise Failure(ArgumentOutOfRange("days", 1, DAYS_KEPT))
        if whose == "workspace" and not sees_all_usage(principal):
            raise Failure(WorkspaceUsageDenied())
        last = datetime.fromtimestamp(self._clock.now(), UTC).date()
        wanted = [last - timedelta(before) for before in range(days)]
        try:
            people: Mapping[str, Total] | None = None
            if whose == "workspace":
                everything, people = await self._records.of_tenant(principal.tenant, wanted)
                found = self._withheld_together(principal, everything)
            else:
                found = await self._records.of_person(principal.tenant, principal.subject, wanted)
        except UsageUnavailable as error:
            raise Failure(UsageNotTold(), retry_after_seconds=BUSY_SECONDS) from error
        withholds = any(read.table == WITHHELD for read in found)
        if people is not None:
            people = _most(people)
            if withholds:
                people = {subject: _cost(total) for subject, total in people.items()}
        return self._report(wanted, found, people, withholds=withholds)

    def _withheld_together(self, principal: Principal, found: Sequence[TableDay]) -> Sequence[TableDay]:
        """The same, with one line per day and schema for all tables of which a rule keeps something from a principal.

        Their names may be unknown to it, and so may the numbers of items that others see there.
        """
        told: list[TableDay] = []
        withheld: dict[tuple[date, str], Total] = {}
        for read in found:
            schema = self._schemas.by_name.get(read.schema)
            if schema is None or not self._schemas.views.restricts(principal, schema, read.table):
                told.append(read)
            else:
                place = read.day, read.schema
                withheld[place] = withheld.get(place, Total()) + _cost(read.total)
        return [*told, *(TableDay(day, schema, WITHHELD, total) for (day, schema), total in withheld.items())]

    def _report(
        self, days: Sequence[date], found: Sequence[TableDay], people: Mapping[str, Total] | None, *, withholds: bool
    ) -> UsageReport:
        costs = [(read, self._dollars(read)) for read in found]
        lines = [UsageLine(read, dollars.on_demand) for read, dollars in costs]
        lines.sort(key=lambda line: (-line.read.day.toordinal(), -(line.usd or 0.0), line.read.schema, line.read.table))
        total = sum_of(dollars for _, dollars in costs)
        return UsageReport(
            first=days[-1],
            last=days[0],
            lines=lines[:LINES],
            read_units=sum(line.read.total.read_units for line in lines),
            usd=total.on_demand,
            basis=total.basis or "nothing was read",
            people=people,
            withholds=withholds,
            truncated=len(lines) > LINES,
        )

    def _dollars(self, read: TableDay) -> Dollars:
        schema = self._schemas.by_name.get(read.schema)  # one that is gone costs what it would in the default region
        return self._prices.of(read.total.read_units, schema.region if schema is not None else "us-east-1")


def _cost(total: Total) -> Total:
    """What was read took; how many items and rows there were may be unknown to the reader."""
    return replace(total, items=0, rows=0)


def _most(people: Mapping[str, Total]) -> Mapping[str, Total]:
    ranked = sorted(people.items(), key=lambda entry: (-entry[1].read_units, entry[0]))
    return dict(ranked[:NAMED_PEOPLE])
