"""What the engine gives its callers."""

from dataclasses import dataclass
from typing import Any, Literal

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.prices import Dollars
from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Confidence, Read
from mcp_server.ports.relational import ResultColumn

StopReason = Literal["complete", "row_limit", "scan_limit", "result_limit"]
"""`complete`: the last row is in this reply. `row_limit`: the page is full, `next_cursor` goes on. `scan_limit`: it is
not full, since as much was scanned for it as may be unasked; `next_cursor` goes on. `result_limit`: the result was cut
at the largest size that is kept; what lies beyond cannot be paged to."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a call took. A later page reads nothing."""

    plan_ms: float
    exec_ms: float
    items_read: int
    pages_read: int
    read_units: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One page of a query's result; `rows` hold JSON values."""

    columns: tuple[ResultColumn, ...]
    rows: list[list[Any]]
    next_cursor: str | None
    stop_reason: StopReason
    statistics: Statistics
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What all reads of a query are expected to take, and cost."""

    items: int
    pages: int
    read_units: float
    seconds: float
    dollars: Dollars
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query would be run, without reading for it, and what it costs: by read, and in all.

    `large_tables` are those whose scan has to be allowed; `unconfirmed` is a cost to which somebody has to agree;
    `ends_after` are the seconds after which it would be ended, where it is expected to take more, and `ends_at` are the
    read units.
    """

    plan: str
    reads: tuple[Read, ...]
    dollars: tuple[Dollars, ...]
    cost: Cost
    normalized_sql: str
    large_tables: tuple[str, ...]
    unconfirmed: CostUnconfirmed | None
    ends_after: float | None
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class UndescribedTable:
    """A table that is there, and why nothing more can be told of it."""

    name: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class TableListing:
    """The tables of one schema; `truncated` when there are more than are listed. Times are seconds since the epoch."""

    schema_name: str
    tables: tuple[Table, ...]
    undescribed: tuple[UndescribedTable, ...]
    truncated: bool
    refreshed: bool
    refreshed_at: float
    stale_after_seconds: int
