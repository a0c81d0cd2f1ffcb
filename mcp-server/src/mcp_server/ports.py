"""What the engine needs from outside, in small Protocols; `app` decides what stands behind each."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa
from joserfc.jwk import ECKey

from mcp_server.access.principal import Principal
from mcp_server.planning.plan import Read
from mcp_server.planning.schema import Schema, Table

Refresh = Literal["if_stale", "force", "skip"]


@dataclass(frozen=True, slots=True)
class Consumption:
    """What one response took.

    `items` were returned, `scanned` were looked at, `bytes` is the response's length; `read_units` is the consumed
    capacity, reported by AWS or else computed from item sizes.
    """

    items: int
    scanned: int
    bytes: int
    read_units: float


@dataclass(frozen=True, slots=True)
class Page:
    """Decoded items of one response page."""

    batch: pa.RecordBatch
    consumption: Consumption


class SchemaConflict(Exception):
    """A page holds values that the columns' types cannot carry. `table` is the same table with types that can."""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        super().__init__(f"{table.physical_name}: {', '.join(columns)}")
        self.table = table
        self.columns = columns


class ItemSource(Protocol):
    """Reads items. Raises SchemaConflict before it yields anything wrong, or Failure: throttled, source_unavailable."""

    def arrow_schema(self, read: Read) -> pa.Schema:
        """The Arrow schema of every batch of that read: the relation's columns, in their order."""
        ...

    def pages(self, schema: Schema, read: Read, observe: Callable[[Consumption], None]) -> AsyncGenerator[Page]:
        """All pages of a read, in no promised order. Closing the generator stops the reading at once.

        `observe` hears of every response when it arrives, which may be before its page is asked for; what it raises
        ends the read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """The tables of a schema that its allow-list lets through, and when they were listed (seconds since the epoch)."""

    names: tuple[str, ...]
    refreshed: bool
    refreshed_at: float


@dataclass(frozen=True, slots=True)
class Described:
    """A table and whether this call refreshed it."""

    table: Table
    refreshed: bool


class Catalog(Protocol):
    """Knows tables and their columns; caches them. Raises Failure (throttled, source_unavailable)."""

    stale_after_seconds: int

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        """The names of the tables that the schema shows."""
        ...

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> tuple[Table, ...]:
        """DescribeTable's facts of those tables that exist and are usable, without sampling: columns are only keys."""
        ...

    async def describe(self, schema: Schema, physical_name: str, refresh: Refresh) -> Described | None:
        """The table, sampled when it is not known or stale; None if there is none of that name to be seen."""
        ...

    async def learn(self, table: Table) -> None:
        """Replaces what is known of a table, after a SchemaConflict."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """Another relation of the statement: some columns of an input, in that order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """A relation to stream into the relational engine; closing `batches` stops its source.

    Materialised, it is loaded before the statement runs, and can be read more than once, also through `views`.
    """

    name: str
    schema: pa.Schema
    batches: AsyncGenerator[pa.RecordBatch]
    materialise: bool
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result; `type` is DuckDB's name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result set, or its first rows when it is not `complete`."""

    columns: tuple[ResultColumn, ...]
    table: pa.Table
    complete: bool


class StreamReadTwice(Exception):
    """A streamed input would have to be read a second time: it must be materialised. There is no result."""


class RelationalEngine(Protocol):
    """Runs one statement over streamed inputs, without files, network or credentials.

    Cancelling a run ends its work within half a second. Raises Failure (evaluation_error, memory_exceeded,
    result_too_large, busy, internal_error), or StreamReadTwice.
    """

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        """The result, cut at `row_limit` rows or `byte_limit` bytes; inputs are only read as far as it needs."""
        ...


@dataclass(frozen=True, slots=True)
class Spooled:
    """A result kept for later pages; `stop_reason` is how its run ended, `expires_at` is in seconds since the epoch."""

    result: Result
    stop_reason: str
    expires_at: float


class Spool(Protocol):
    """Keeps results for their principal, for a while, within a size."""

    async def put(self, principal: Principal, result: Result, stop_reason: str) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep."""
        ...

    async def get(self, principal: Principal, spool_id: str) -> Spooled | None:
        """What that principal spooled under the id, unless it has expired or had to give way."""
        ...


class KeySet(Protocol):
    """The issuer's published signing keys."""

    async def key(self, key_id: str) -> ECKey | None:
        """The public key of that id; None if the issuer does not publish it. Raises KeySetUnavailable."""
        ...


class KeySetUnavailable(Exception):
    """The issuer's key set cannot be had right now, and no earlier copy holds the key."""
