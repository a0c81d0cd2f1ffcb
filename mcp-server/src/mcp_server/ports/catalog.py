"""Which tables there are, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mcp_server.domain.failures import Failure
from mcp_server.domain.restriction import Rows
from mcp_server.domain.schema import Schema, Table
from mcp_server.ports.items import Observer

Refresh = Literal["if_stale", "force", "skip"]
Resample = Literal["if_stale", "force", "skip", "recent"]
"""When a table is sampled anew: one that is `recent`, younger than RECENT_SECONDS, does for who asks for a new one."""
RECENT_SECONDS = 5.0


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


class Payer(Protocol):
    """Whom a sample is charged to: the caller for whose call it is taken."""

    def check(self) -> None:
        """Asked before a sample begins. Raises Failure: budget_exceeded."""
        ...

    def observer(self, table: Table) -> Observer | None:
        """Hears of every response to the sample of a table; None where the service pays. It raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Summaries:
    """What DescribeTable tells of some tables, and by their names why it tells nothing of others."""

    tables: tuple[Table, ...]
    failures: Mapping[str, Failure] = field(default_factory=dict)


class Catalog(Protocol):
    """Knows tables and their columns; caches them. Raises Failure (throttled, source_unavailable).

    Who may see some `rows` only gets a table whose columns are those of such items: names, types and values of columns
    would tell of the others. Figures, and the structure of keys and indexes, are those of the whole table.
    """

    stale_after_seconds: int

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        """The names of the tables that the schema shows."""
        ...

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> Summaries:
        """DescribeTable's facts of those tables that exist and are usable, without sampling: columns are only keys.

        Raises no Failure: one table that cannot be described does not take the others away.
        """
        ...

    def known(self, schema: Schema, name: str, rows: Rows = ()) -> Table | None:
        """The table that `describe` would give at once, without looking for anything; None where there is none."""
        ...

    async def describe(
        self, schema: Schema, name: str, refresh: Resample, rows: Rows = (), *, payer: Payer | None = None
    ) -> Described | None:
        """The table, sampled when it is not known or stale; None if there is none of that name to be seen.

        Of several who want the same sample at once the first one pays; without a `payer` the service does. Raises
        what the payer raises, to this caller only.
        """
        ...

    async def probe(
        self,
        schema: Schema,
        name: str,
        attribute: str,
        observe: Observer,
        rows: Rows = (),
        *,
        fields: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> bool:
        """Looks for an attribute that no sample shows among some more of a table's items, and learns of its column.

        With `fields` it looks for what the attribute's maps have under these names, one within the other.
        Tells whether it was found. What was not is not looked for again until samples are stale, nor are many names.
        `observe` hears of every response, since whoever asks pays for it; what it raises ends the search. The search
        for a `hidden` attribute takes as much and finds nothing: it must not be told from one that is not there.
        """
        ...

    async def learn(self, table: Table) -> None:
        """Replaces what is known of a table to those who see its `rows`, after a SchemaConflict."""
        ...
