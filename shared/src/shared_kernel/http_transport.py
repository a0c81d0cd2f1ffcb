"""What a connection's protocol needs of its transport beyond asyncio: when to read, what has arrived, how to end."""

import asyncio
import select
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Does not resume reading, whoever asks, while as many requests wait as may."""

    full = False

    def resume_reading(self) -> None:
        """Reads on, unless it is full."""
        if not self.full:
            super().resume_reading()


class LingeringTransport(asyncio.Transport):
    """What a request writes its answer to while its body still arrives; the end of it is `linger`."""

    def __init__(self, transport: asyncio.Transport, linger: Callable[[], None]) -> None:
        super().__init__()
        self._transport, self._linger = transport, linger

    def write(self, data: Any) -> None:
        """Writes to the connection."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether the connection is."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Ends the connection, but gives its peer the time to read."""
        self._linger()


def has_arrived(transport: asyncio.Transport) -> bool:
    """Whether bytes, or the end of the stream, wait to be read."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poller.poll(0))
