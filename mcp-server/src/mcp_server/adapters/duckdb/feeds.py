"""Inputs on their way to a child: a small one travels inside the request, any other through a pipe of its own."""

import contextlib
import fcntl
import os
import sys
from typing import Any

import anyio

from mcp_server.adapters.duckdb import protocol
from mcp_server.ports.relational import Input

INLINE_BYTES = 1 << 16
"""How large an input may be that travels inside the request."""
INLINE_BATCHES = 1
"""How many batches such an input may have. To know that it has no more, one more is waited for."""
PIPE_BYTES = 1 << 18
_F_SETPIPE_SZ = 1031  # Linux; fcntl.F_SETPIPE_SZ where Python names it


class WriteEnd:
    """The service's end of one input's pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    async def write(self, data: Any) -> None:
        """Writes all of it, waiting for room. Raises BrokenPipeError when the reader has closed its end."""
        view = memoryview(data).cast("B")
        while view:
            assert self._descriptor is not None
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._descriptor)

    def close(self) -> None:
        """Closes it, once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Feed:
    """One input: the Arrow IPC stream of what was read of it so far, and the rest that is still to come."""

    def __init__(self, item: Input) -> None:
        self.item = item
        self.whole = False
        """Whether all of it was read, so that it can travel inside the request."""
        self._head = [item.schema.serialize()]

    async def fill(self) -> None:
        """Reads until the input has ended, or is known to be too large to travel inside the request."""
        batches, size = 0, 0
        while batches <= INLINE_BATCHES and size <= INLINE_BYTES:
            batch = await anext(self.item.batches, None)
            if batch is None:
                self.whole = True
                self._head.append(protocol.END_OF_STREAM)
                return
            batches += 1
            self._head.append(batch.serialize())
            size += len(self._head[-1])

    def stream(self) -> bytes:
        """The IPC stream of an input that is whole."""
        return b"".join(self._head)

    async def pump(self, pipe: WriteEnd) -> None:
        """Writes the input to its pipe as fast as it is read. Returns early when the reader has enough."""
        head, self._head = self._head, []
        try:
            for piece in head:
                await pipe.write(piece)
            del head
            async for batch in self.item.batches:
                await pipe.write(batch.serialize())
            await pipe.write(protocol.END_OF_STREAM)
        except BrokenPipeError:
            with anyio.CancelScope(shield=True):
                await self.item.batches.aclose()
        finally:
            pipe.close()


def open_pipes(count: int) -> tuple[list[int], list[WriteEnd]]:
    """The read ends, as descriptors, and the write ends of that many pipes."""
    read_ends: list[int] = []
    write_ends: list[WriteEnd] = []
    for _ in range(count):
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # a user's pipes may have no more room
                fcntl.fcntl(write_end, _F_SETPIPE_SZ, PIPE_BYTES)
        read_ends.append(read_end)
        write_ends.append(WriteEnd(write_end))
    return read_ends, write_ends
