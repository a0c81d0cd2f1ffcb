"""Carries a store's records to where they shall be kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.records import Record, RecordStore

BATCH = 500
"""Records that are written at a time."""


async def copy(source: RecordStore, target: RecordStore) -> int:
    """Fills an empty store with the records of another; gives their number. Raises CannotDo, StoreUnavailable."""
    await check_empty(target)
    return await pour(source.records(), target.restore)


async def check_empty(store: RecordStore) -> None:
    """Raises CannotDo unless the store remembers nothing, StoreUnavailable."""
    if await anext(store.records(), None) is not None:
        raise CannotDo(Problem.STORE_NOT_EMPTY)


async def pour(records: AsyncIterator[Record], take: Callable[[Sequence[Record]], Awaitable[None]]) -> int:
    """Hands over all records in batches; gives their number. Raises CannotDo if there are none."""
    count, batch = 0, list[Record]()
    async for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            await take(batch)
            count, batch = count + len(batch), []
    if batch:
        await take(batch)
    if not count + len(batch):
        raise CannotDo(Problem.NOTHING_TO_COPY)
    return count + len(batch)
