"""Pages of statements that make a row of each item: reading stops when a page is full, and goes on from there.

So do those of which only the first rows are wanted, where no request can tell how many items make them.

Every response is evaluated by itself, and each row tells which item it is of. Responses are small at first: they grow,
and several requests are read at once, when few of the items make rows.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from mcp_server.domain.schema import Schema
from mcp_server.engine import direct
from mcp_server.engine.first_rows import first_rows
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import (
    FEW_ITEMS,
    PARALLEL_REQUESTS,
    START,
    Key,
    Position,
    Stream,
    next_limit,
)
from mcp_server.ports.items import ItemSource, Stretch
from mcp_server.ports.relational import Input, RelationalEngine, Result, ResultColumn
from mcp_server.sql.binding.bind import Query

_NUMBER = pa.field("item", pa.int64())
_KEYLESS: Sequence[Key] = ()


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """The rows of one page as JSON, and where the next one goes on; None where no row can follow.

    `cut` tells that there are fewer rows than were asked for, since the scan ended unasked.
    """

    columns: tuple[ResultColumn, ...]
    rows: list[list[Any]]
    after: Position | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one response made: rows, and of which of its items each is."""

    request: int
    before: Key | None
    stretch: Stretch
    rows: pa.Table | None
    numbers: Sequence[int]

    def without_items(self) -> "_Piece":
        """The same where nobody asks for a key of the items, which need not be kept then: there may be millions."""
        return replace(self, stretch=Stretch(None, self.stretch.after, _KEYLESS.__getitem__))


class Streaming:
    """Fills pages."""

    def __init__(self, *, items: ItemSource, relational: RelationalEngine, limits: Limits) -> None:
        self._items, self._relational, self._limits = items, relational, limits

    async def page(
        self,
        schema: Schema,
        read: Read,
        query: Query,
        stream: Stream,
        position: Position | None,
        *,
        max_rows: int,
        meter: Meter,
    ) -> PageOfRows:
        """The next rows of a resumable read of a table of the schema. Raises what its ports raise."""
        started = position or START
        exact = not read.pushed_filters and not read.residual_filters
        # One row more than fits: where every item makes a row, that tells whether another page follows.
        wanted = max_rows + 1
        filling = _Filling(started, requests=len(read.requests), max_rows=max_rows, wanted=wanted, exact=exact)
        most = self._limits.page_bytes
        columns, pieces = await self._filled(
            schema, read, query, stream, filling, meter, most_bytes=most, placed=max_rows
        )
        return await self._cut_to_page(read, columns, pieces, started, max_rows=max_rows, meter=meter)

    async def _cut_to_page(
        self,
        read: Read,
        columns: tuple[ResultColumn, ...],
        pieces: Sequence[_Piece],
        started: Position,
        *,
        max_rows: int,
        meter: Meter,
    ) -> PageOfRows:
        found = [piece.rows for piece in pieces if piece.rows is not None]
        rows: list[list[Any]] = []
        if found:
            rows = await first_rows(Result(columns, pa.concat_tables(found), True), max_rows, self._limits.page_bytes)
        after = _after(started, pieces, len(rows), len(read.requests))
        cut = meter.scan_ended is not None and len(rows) < max_rows and after is not None
        return PageOfRows(columns, rows, after, cut)

    async def first(
        self, schema: Schema, read: Read, query: Query, stream: Stream, rows: int, *, max_rows: int, meter: Meter
    ) -> Result | PageOfRows:
        """So many of the first rows, or all that there are; a page of them where the scan ended unasked before.

        Raises what its ports raise.
        """
        exact = not read.pushed_filters and not read.residual_filters
        filling = _Filling(START, requests=len(read.requests), max_rows=rows, wanted=rows, exact=exact)
        most, skip = self._limits.result_bytes, stream.offset
        placed = max_rows if stream.goes_on and meter.may_end_unasked(read) else 0
        columns, pieces = await self._filled(
            schema, read, query, stream, filling, meter, most_bytes=most, placed=placed, skip=skip
        )
        if meter.scan_ended is not None and not filling.cut and filling.turn():
            return await self._cut_to_page(read, columns, pieces, START, max_rows=max_rows, meter=meter)
        found = [piece.rows for piece in pieces if piece.rows is not None]
        if not found:
            empty = await self._evaluated(read, query, stream, None)
            found = [empty.table.remove_column(len(columns))]
        return Result(
            columns, pa.concat_tables(found).slice(0, rows - skip), complete=not (filling.cut or filling.turn())
        )

    async def _filled(
        self,
        schema: Schema,
        read: Read,
        query: Query,
        stream: Stream,
        filling: "_Filling",
        meter: Meter,
        *,
        most_bytes: int,
        placed: int,
        skip: int = 0,
    ) -> tuple[tuple[ResultColumn, ...], list[_Piece]]:
        """The columns, and what responses made, until there are enough rows, or so many bytes of them.

        A scan ends before, where it took more than it may unasked and a page can go on from there: from any of the
        first `placed` rows. The first `skip` rows are not kept, and take no room.
        """
        observe = meter.observer(read, by_page=stream.goes_on)
        columns: tuple[ResultColumn, ...] = ()
        pieces: list[_Piece] = []
        size = items = rows = 0
        while size <= most_bytes and not filling.cut and meter.scan_ended is None and (turn := filling.turn()):
            stretches = await _all(
                [self._items.stretch(schema, read, number, after, filling.limit, observe) for number, after in turn]
            )
            made: list[_Piece] = []
            for (number, after), stretch in zip(turn, stretches, strict=True):
                piece = _Piece(number, after, stretch, None, ())
                if stretch.items is not None:
                    meter.look(read.relation, stretch.items)
                    meter.saw(read, stretch.items.num_rows)
                    items += stretch.items.num_rows
                    result = await self._evaluated(read, query, stream, stretch.items)
                    filling.cut |= not result.complete
                    columns, piece = result.columns, _piece(number, after, stretch, result, skip)
                    skip -= min(skip, len(piece.numbers))
                    size += piece.rows.nbytes if piece.rows is not None else 0
                made.append(piece if rows < placed and piece.numbers else piece.without_items())
                rows += len(piece.numbers)
            filling.add(made)
            pieces += made
        if filling.read_all and meter.lessons is not None:
            meter.lessons.ended(read, items)
        if not columns:
            columns = (await self._evaluated(read, query, stream, None)).columns
        return columns[:-1], pieces

    async def _evaluated(self, read: Read, query: Query, stream: Stream, items: pa.RecordBatch | None) -> Result:
        few = items is None or (
            items.num_rows <= self._limits.direct_rows and items.nbytes <= self._limits.direct_bytes
        )
        if query.direct is not None and few and self._limits.direct_rows:
            return direct.numbered(query.direct, read.relation, self._items.arrow_schema(read), items)
        schema = self._items.arrow_schema(read).append(_NUMBER)

        async def numbered() -> AsyncGenerator[pa.RecordBatch]:
            if items is not None:
                numbers = pa.array(range(items.num_rows), pa.int64())
                yield pa.record_batch([*items.columns, numbers], schema=schema)

        source = Input(read.relation.name, schema, numbered(), materialise=False)
        limits = self._limits
        return await self._relational.run(
            stream.statement, [source], row_limit=limits.result_rows, byte_limit=limits.result_bytes
        )


class _Filling:
    """Which requests are read next, how far, and whether the page is full."""

    def __init__(self, position: Position, *, requests: int, max_rows: int, wanted: int, exact: bool) -> None:
        self._begun: dict[int, Key | None] = dict(position.begun)
        self._rest, self._requests = position.rest, requests
        self._from_start = position == START
        self._wanted, self._exact = wanted, exact
        self._max_rows, self._full_at = max_rows, wanted if exact else max_rows
        self._rows, self._width = 0, 1
        self.cut = False
        """Whether what a response made is more than a result may hold, so that nothing after it may follow."""
        self.limit: int | None = self._wanted if exact else max(self._wanted, FEW_ITEMS)

    def turn(self) -> list[tuple[int, Key | None]]:
        """The requests to read now, each with the key after which it goes on; none when the page is full."""
        if self._rows >= self._full_at:
            return []
        begun = sorted(self._begun.items(), key=lambda one: one[0])
        fresh: list[tuple[int, Key | None]] = [(number, None) for number in range(self._rest, self._requests)]
        return [*begun, *fresh][: self._width]

    @property
    def read_all(self) -> bool:
        """Whether all of the read was made here, from its start to its end."""
        return self._from_start and not self._begun and self._rest >= self._requests

    def add(self, pieces: Sequence[_Piece]) -> None:
        """Takes note of what a turn brought."""
        found = 0
        for piece in pieces:
            self._rest = max(self._rest, piece.request + 1)
            self._begun[piece.request] = piece.stretch.after
            if piece.stretch.after is None:
                del self._begun[piece.request]
            found += len(piece.numbers)
        self._rows += found
        missing = self._wanted - self._rows
        ended = all(piece.stretch.after is None for piece in pieces)
        if self._exact and not ended and self.limit is not None and found < self.limit:
            self._exact, self._full_at = False, self._max_rows  # what was thought to be exact is not
        if self._exact:
            self.limit = max(missing, 1)
        elif self.limit is not None:
            self.limit = next_limit(self.limit, self.limit * len(pieces), found, missing)
        if ended or self.limit is None:
            self._width = min(PARALLEL_REQUESTS, 2 * self._width)


def _piece(request: int, before: Key | None, stretch: Stretch, result: Result, skip: int) -> _Piece:
    """What came of a response, without the first `skip` rows: only that they are there is known of these."""
    table = result.table
    last = table.num_columns - 1
    rows = table.remove_column(last).slice(skip)
    return _Piece(request, before, stretch, rows, table.column(last).to_pylist())


def _after(position: Position, pieces: Sequence[_Piece], rows: int, requests: int) -> Position | None:
    """The position after the first `rows` rows that the pieces made, None if that is the end."""
    begun: dict[int, Key | None] = dict(position.begun)
    rest, stopped = position.rest, set[int]()
    for piece in pieces:
        if piece.request in stopped:
            continue
        rest = max(rest, piece.request + 1)
        taken = min(rows, len(piece.numbers))
        rows -= taken
        if taken == len(piece.numbers) and piece.stretch.after is None:
            begun.pop(piece.request, None)
        elif taken == len(piece.numbers):
            begun[piece.request] = piece.stretch.after
        else:
            stopped.add(piece.request)
            begun[piece.request] = piece.stretch.key_of(piece.numbers[taken - 1]) if taken else piece.before
    if not begun and rest >= requests:
        return None
    return Position(tuple(sorted(begun.items(), key=lambda one: one[0])), rest)


async def _all(reading: Sequence[Coroutine[Any, Any, Stretch]]) -> list[Stretch]:
    """What all of them give. None goes on when one fails."""
    if len(reading) == 1:
        return [await reading[0]]
    tasks = [asyncio.ensure_future(one) for one in reading]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
