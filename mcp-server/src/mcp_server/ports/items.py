"""Reading items, page by page."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import Schema, Table
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import Key


@dataclass(frozen=True, slots=True)
class Part:
    """Which request of its read a response belongs to, by number, and whether that begins or ends with it."""

    request: int
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class Consumption:
    """What one response took.

    `items` were returned, `scanned` were looked at, `bytes` is the response's length; `read_units` is the consumed
    capacity, reported by AWS or else computed from item sizes. `unshown` are attributes, which the reader may see, of
    the items of a starred relation that its table has no columns for. `part` is None of a response to BatchGetItem, and
    of one that had to be asked for more than once, which counts more than it should.
    """

    items: int
    scanned: int
    bytes: int
    read_units: float
    unshown: frozenset[str] = frozenset()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one response to a request holds: its items, if there are some, and the key after which the request goes on.

    `after` is None at the request's end. `key_of` gives the key of an item by its number in `items`, which may lack
    some of those that were read.
    """

    items: pa.RecordBatch | None
    after: Key | None
    key_of: Callable[[int], Key]


class SchemaConflict(Exception):
    """A page holds values that the columns' types cannot carry. `table` is the same table with types that can."""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        super().__init__(f"{table.physical_name}: {', '.join(columns)}")
        self.table = table
        self.columns = columns


class TableChanged(Exception):
    """DynamoDB refuses a request that fits the table's description: another table may bear the name by now.

    `failure` is what to say if the table is described as it was.
    """

    def __init__(self, table: Table, failure: Failure) -> None:
        super().__init__(table.physical_name)
        self.table, self.failure = table, failure


Observer = Callable[[Consumption], None]
"""Hears of every response when it arrives; what it raises ends the read.

It also hears of the responses to requests that are under way when their read ends, for whatever reason; it raises in
vain then.
"""


class ItemSource(Protocol):
    """Reads items.

    Raises SchemaConflict before it yields anything wrong, TableChanged, or Failure: throttled, source_unavailable,
    unknown_table.
    """

    def arrow_schema(self, read: Read) -> pa.Schema:
        """The Arrow schema of every batch of that read: the relation's columns, in their order."""
        ...

    def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """The items of all pages of a read, in no promised order. Closing the generator stops the reading at once.

        Of a read with `enough`, pages come one after the other, in the order of its requests, until there are so many;
        where that is `of_each`, side by side, of each request until there are so many.

        `observe` hears of every response when it arrives, which may be before its page is asked for; what it raises
        ends the read.
        """
        ...

    async def count(self, schema: Schema, read: Read, observe: Observer) -> int:
        """How many items the requests of a read that counts find. No SchemaConflict is raised."""
        ...

    async def stretch(
        self, schema: Schema, read: Read, request: int, after: Key | None, limit: int | None, observe: Observer
    ) -> Stretch:
        """The next response to one Query or Scan of a resumable read, by the request's number.

        It looks at `limit` items at most, in the request's order, from the first one after a key on; of a read with
        `lookup`, at the items that are there for so many keys.
        """
        ...

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        """Returns when these observers were told of all requests that ended reads had under way; None if they are.

        It takes a moment: what is not answered by then is given up. None of these requests is repeated. What is
        returned has to be awaited.
        """
        ...
