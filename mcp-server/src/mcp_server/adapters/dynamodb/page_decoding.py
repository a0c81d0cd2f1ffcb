"""Decoding the items of responses, in threads where they are large."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec
import pyarrow as pa

from mcp_server.adapters.decoding.item_decoding import MalformedPage, PageDecoder
from mcp_server.adapters.decoding.unshown import unshown_attributes
from mcp_server.adapters.dynamodb.responses import UnreadableResponse
from mcp_server.adapters.dynamodb.seen import Seen
from mcp_server.planning.plan import Read

DECODING_THREADS = 2
SMALL_PAGE_BYTES = 16 * 1024
"""A page up to this size is decoded on the event loop: a thread would take longer to be reached."""

_Taken = TypeVar("_Taken")


class PageDecoding:
    """Decodes pages; a few at a time."""

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(DECODING_THREADS)

    async def page(
        self, decoder: PageDecoder, items: msgspec.Raw, count: int, seen: Seen | None = None
    ) -> pa.RecordBatch | None:
        """The decoded page, without items that were `seen`; None where a response has none.

        Raises UnreadableResponse, and what the decoder raises.
        """
        if seen is None:
            return await self.decoded(decoder.decode, items, count)
        page, places = await self.decoded(decoder.decode_with_places, items, count) or (None, ())
        if page is None:
            return None
        keys = seen.keys(items)
        # Nothing may fail from here on: of a response that is asked for again all items would have been seen.
        new = set(seen.new(keys))
        if len(new) == len(keys):
            return page
        return page.take(pa.array([row for row, place in enumerate(places) if place in new], pa.int64()))

    async def decoded(self, decode: Callable[[bytes, int], _Taken], items: msgspec.Raw, count: int) -> _Taken | None:
        """What `decode` makes of the items; None where there are none."""
        if count == 0 and bytes(items).strip() == b"[]":
            return None
        content = bytes(items)
        try:
            if len(content) <= SMALL_PAGE_BYTES:
                return decode(content, count)
            return await anyio.to_thread.run_sync(decode, content, count, abandon_on_cancel=True, limiter=self._threads)
        except MalformedPage as error:
            raise UnreadableResponse(str(error)) from error

    async def unshown(self, read: Read, items: msgspec.Raw, count: int) -> frozenset[str]:
        """The attributes of a response's items that the result's `*` does not show."""
        content = bytes(items)
        if len(content) <= SMALL_PAGE_BYTES:
            return unshown_attributes(content, count, read.relation.table)
        return await anyio.to_thread.run_sync(
            unshown_attributes, content, count, read.relation.table, abandon_on_cancel=True, limiter=self._threads
        )
