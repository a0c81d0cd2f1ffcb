"""What statements and samples read: told for bills and for questions about slow tables, and kept by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mcp_server.domain.principal import Principal

DAYS_KEPT = 31
"""For so many days, today among them, what was read is kept."""


@dataclass(frozen=True, slots=True)
class TableUsage:
    """What one statement took from one table: requests that DynamoDB answered, and items that its caller may see."""

    schema: str
    table: str
    items: int
    read_units: float
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the run of one statement took from DynamoDB, whether it succeeded or not.

    `statement` is a digest of the text, so that lines about one statement can be found without knowing it. `tables` are
    `schema.table`, sorted; as the statement spells them when it was not planned. `reads` tells those apart of which
    anything was read. `running_seconds` are None for a statement that was only planned. `rows` are those of its result,
    on later pages too. `rest` marks what was still under way when the statement ended, and is told once it is known:
    more of the same statement, not another one.
    """

    statement: str
    tables: tuple[str, ...]
    items: int
    pages: int
    bytes: int
    read_units: float
    planning_seconds: float
    running_seconds: float | None
    reads: tuple[TableUsage, ...] = ()
    rows: int = 0
    rest: bool = False


class UsageLog(Protocol):
    """Where usage is told. Never raises, and never waits."""

    def record(self, principal: Principal, usage: Usage) -> None:
        """Tells what a principal's statement took."""
        ...

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """Tells what a response took to a sample of a table that a principal's call needed. It is no statement."""
        ...


@dataclass(frozen=True, slots=True)
class Total:
    """What some statements took together."""

    statements: int = 0
    items: int = 0
    read_units: float = 0.0
    requests: int = 0
    rows: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(
            self.statements + other.statements,
            self.items + other.items,
            self.read_units + other.read_units,
            self.requests + other.requests,
            self.rows + other.rows,
        )


@dataclass(frozen=True, slots=True)
class TableDay:
    """What statements took from one table on one day (UTC); a statement that read two tables counts at each."""

    day: date
    schema: str
    table: str
    total: Total


class UsageUnavailable(Exception):
    """What keeps usage does not answer."""


class UsageRecords(UsageLog, Protocol):
    """Keeps what was recorded, for `DAYS_KEPT` days."""

    async def of_person(self, tenant: str, subject: str, days: Sequence[date]) -> Sequence[TableDay]:
        """What one subject's statements took on those days, in no order. Raises UsageUnavailable."""
        ...

    async def of_tenant(self, tenant: str, days: Sequence[date]) -> tuple[Sequence[TableDay], Mapping[str, Total]]:
        """What all of a tenant's statements took on those days: by table and day, and by subject over all of them.

        The subject "" stands for those beyond the number that is kept apart. Raises UsageUnavailable.
        """
        ...
