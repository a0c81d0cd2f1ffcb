"""What was read, added up by tenant and day: as this process keeps it, or has yet to hand on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import DAYS_KEPT, TableDay, TableUsage, Total, Usage
from shared_kernel.clock import Clock

PEOPLE = 10_000
"""So many of a tenant's subjects are kept apart on each day; those beyond are counted together, under no name."""
NOBODY = ""

TableKey = tuple[str, str]
"""Schema and table."""


@dataclass(slots=True)
class UsageDay:
    """What a tenant's statements took on one day: by table, by subject, and by subject and table."""

    tables: dict[TableKey, Total] = field(default_factory=dict)
    people: dict[str, Total] = field(default_factory=dict)
    tables_of: dict[str, dict[TableKey, Total]] = field(default_factory=dict)

    def add(self, subject: str, usage: Usage) -> None:
        """Adds what one statement took."""
        self._add(subject, usage.reads, statements=0 if usage.rest else 1, rows=usage.rows)

    def add_sample(self, subject: str, taken: TableUsage) -> None:
        """Adds what one response to a sample took."""
        self._add(subject, (taken,), statements=0, rows=0)

    def _add(self, subject: str, reads: Sequence[TableUsage], *, statements: int, rows: int) -> None:
        if subject not in self.people and len(self.people) >= PEOPLE:
            subject = NOBODY
        own = self.tables_of.setdefault(subject, {}) if subject != NOBODY else None
        for read in reads:
            key = read.schema, read.table
            taken = Total(statements, read.items, read.read_units, read.requests, rows)
            self.tables[key] = self.tables.get(key, Total()) + taken
            if own is not None:
                own[key] = own.get(key, Total()) + taken
        items, requests = sum(read.items for read in reads), sum(read.requests for read in reads)
        taken = Total(statements, items, sum(read.read_units for read in reads), requests, rows)
        self.people[subject] = self.people.get(subject, Total()) + taken


def today(clock: Clock) -> date:
    """The day that it is in UTC."""
    return datetime.fromtimestamp(clock.now(), UTC).date()


class UsageInMemory:
    """Keeps UsageRecords in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._days: dict[tuple[str, date], UsageDay] = {}

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        if usage.reads:
            self._today(principal.tenant).add(principal.subject, usage)

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """See UsageLog."""
        self._today(principal.tenant).add_sample(principal.subject, taken)

    def _today(self, tenant: str) -> UsageDay:
        key = tenant, today(self._clock)
        if key not in self._days:
            for other in [old for old in self._days if (key[1] - old[1]).days >= DAYS_KEPT]:
                del self._days[other]
            self._days[key] = UsageDay()
        return self._days[key]

    async def of_person(self, tenant: str, subject: str, days: Sequence[date]) -> Sequence[TableDay]:
        """See UsageRecords."""
        return [
            TableDay(day, *key, total)
            for day in days
            if (kept := self._days.get((tenant, day))) is not None
            for key, total in kept.tables_of.get(subject, {}).items()
        ]

    async def of_tenant(self, tenant: str, days: Sequence[date]) -> tuple[Sequence[TableDay], Mapping[str, Total]]:
        """See UsageRecords."""
        found, people = list[TableDay](), dict[str, Total]()
        for day in days:
            kept = self._days.get((tenant, day))
            if kept is None:
                continue
            found += [TableDay(day, *key, total) for key, total in kept.tables.items()]
            for subject, total in kept.people.items():
                people[subject] = people.get(subject, Total()) + total
        return found, people
