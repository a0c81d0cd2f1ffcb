"""The inputs of a run, of which some are only known once rows of others were read.

A read that others wait for is begun before the statement runs, and what came of it is held until the statement takes
it. It is held up to a bound; where more comes, or more keys than pay, those that wait are read as they would be alone.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Self

import pyarrow as pa

from mcp_server.engine.meter import Meter
from mcp_server.engine.sharing import Source
from mcp_server.planning.plan import KeySource, Read, Stage
from mcp_server.planning.stages import Key, read_after

HELD_BYTES = 16_000_000
"""What is held of one read, as Arrow data, for the sake of those that wait for it."""

Open = Callable[[Read], AsyncGenerator[pa.RecordBatch]]


class Intake:
    """The batches of one source, read once: ahead as far as others need its values, the rest on demand."""

    def __init__(self, source: Source, batches: AsyncGenerator[pa.RecordBatch]) -> None:
        self.source = source
        self._rest = batches
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._ended = False

    def batches(self) -> AsyncGenerator[pa.RecordBatch]:
        """All batches, to be taken once."""
        return self._chained() if self._held or self._ended else self._rest

    async def _chained(self) -> AsyncGenerator[pa.RecordBatch]:
        held, self._held = self._held, []
        for batch in held:
            yield batch
        async with aclosing(self._rest):
            async for batch in self._rest:
                yield batch

    async def keys(self, source: KeySource, most: int) -> set[Key] | None:
        """The different values of the key source's columns; None where they, or the rows, are too many."""
        relation = next(one for one in self.source.relations if one.name == source.relation)
        positions = self.source.positions(relation)
        names = [column.name for column in relation.columns]
        places = [positions[names.index(name)] for name in source.columns]
        found: set[Key] = set()
        for batch in self._held:
            found |= _keys(batch, places)
        while not self._ended and len(found) <= most and self._size <= HELD_BYTES:
            batch = await anext(self._rest, None)
            if batch is None:
                self._ended = True
            else:
                self._held.append(batch)
                self._size += batch.nbytes
                found |= _keys(batch, places)
        return found if self._ended and len(found) <= most else None

    async def aclose(self) -> None:
        """Stops the reading."""
        await self._rest.aclose()


class Intakes:
    """The intakes of a run; an asynchronous context manager, which ends their reading."""

    def __init__(self, sources: Sequence[Source], open_: Open, meter: Meter) -> None:
        self._sources, self._open, self._meter = sources, open_, meter
        self._of_relation = {relation.name: source for source in sources for relation in source.relations}
        self._intakes: dict[str, Intake] = {}
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Nothing is read yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def opened(self) -> list[Intake]:
        """The intake of each source; reads ahead as far as others wait for it. Raises what reading raises."""
        return [await self._opened(source) for source in self._sources]

    async def _opened(self, source: Source) -> Intake:
        name = source.read.relation.name
        if name not in self._intakes:
            read = source.read
            if read.stage is not None:
                keys = await self._keys(read.stage)
                read = read.stage.otherwise if keys is None else read_after(read, keys)
                self._meter.ask(read)
            intake = Intake(source, self._open(read))
            self._closing.push_async_callback(intake.aclose)
            self._intakes[name] = intake
        return self._intakes[name]

    async def _keys(self, stage: Stage) -> set[Key] | None:
        """The different keys that the rows of all sources name; None where one of them has too many."""
        found: set[Key] = set()
        for source in stage.link.sources:
            waited_for = await self._opened(self._of_relation[source.relation])
            keys = await waited_for.keys(source, stage.most)
            if keys is None:
                return None
            found |= keys
        return found


def _keys(batch: pa.RecordBatch, places: Sequence[int]) -> set[Key]:
    """The values of some columns in each row, but for rows that lack one."""
    columns = [batch.column(place).unique() if len(places) == 1 else batch.column(place) for place in places]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return {row for row in rows if None not in row}
