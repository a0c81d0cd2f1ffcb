"""The HTTP server of both services: uvicorn over bounded connections, with a lean start and an orderly stop.

On SIGTERM the service keeps serving for a delay while `/readyz` fails, so that load balancers send traffic elsewhere;
then it stops listening, answers what has arrived, and exits. SIGINT skips the delay. Each further signal skips to the
next stage.
"""

import asyncio
import gc
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Literal, cast

import structlog
import uvicorn

from shared_kernel.asgi import App
from shared_kernel.http_connection import ON_STOPPING, STOPPING, BoundedHttpProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than common load balancers keep an idle connection, so that they end it and not we, in mid-request."""
_POLL_SECONDS = 0.02
_CANCELLED_SECONDS = 1.0
_FILLING_ATTEMPTS = 3
_FILLING_SECONDS = 0.1
_log = structlog.get_logger("http")


class CannotListen(Exception):
    """The address cannot be bound; the text is one line for the operator."""


def listen(host: str, port: int, prefix: str) -> socket.socket:
    """A socket bound to the address; `prefix` is that of the settings to name. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror}; free it, or set {prefix}HOST and {prefix}PORT"
        raise CannotListen(message) from error
    return listener


async def serve(
    app: App,
    listener: socket.socket,
    *,
    lifespan: Literal["on", "off"],
    delay_seconds: float,
    shutdown_seconds: int,
) -> None:
    """Serves until SIGTERM, then for `delay_seconds` more, then answers what is under way for `shutdown_seconds`."""
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        log_level="error",  # our own lines tell the rest; its warnings are written by whoever sends nonsense
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
    )
    # What is loaded by now stays loaded; the collector would walk it again and again.
    gc.collect()
    gc.freeze()
    await Server(config, delay_seconds=delay_seconds).serve(sockets=[listener])


class Stage(IntEnum):
    """How far the end of the service has come."""

    SERVING = 0
    LEAVING = 1
    DRAINING = 2
    CUTTING = 3


class Server(uvicorn.Server):
    """Stops in stages; uvicorn alone stops at once, then re-raises the signal and so exits with a failure."""

    def __init__(self, config: uvicorn.Config, *, delay_seconds: float = 0.0) -> None:
        super().__init__(config)
        self._delay_seconds = delay_seconds
        self._stage = Stage.SERVING

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles the signals while it serves."""
        # Not `handle_exit`: sse-starlette has put into it that every event stream is cut off at once.
        loop = asyncio.get_running_loop()
        handled = {signal.SIGTERM: Stage.LEAVING, signal.SIGINT: Stage.DRAINING}
        for number, stage in handled.items():
            loop.add_signal_handler(number, self.stop, stage)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def stop(self, stage: Stage = Stage.LEAVING) -> None:
        """Moves on to that stage, or to the one after the current, whichever is later."""
        self._advance(max(stage, Stage(min(self._stage + 1, Stage.CUTTING))))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers what has arrived, for as long as it may take, and cuts the rest off."""
        state = self.server_state
        await self._stop_listening(sockets or [])
        for connection in self._connections():
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                # A closing connection notifies nobody.
                while (state.connections or state.tasks) and self._stage < Stage.CUTTING:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        if state.tasks:
            _log.warning("requests_cut", count=len(state.tasks))
        for connection in self._connections():
            connection.cut_begun()
        for task in state.tasks:
            task.cancel()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=_CANCELLED_SECONDS)
        for connection in self._connections():
            connection.cut()
        if self._stage < Stage.CUTTING:
            await self.lifespan.shutdown()

    def _advance(self, stage: Stage) -> None:
        if stage <= self._stage:
            return
        self._stage = stage
        if STOPPING not in self.lifespan.state:
            self.lifespan.state[STOPPING] = True
            self.lifespan.state.get(ON_STOPPING, _nothing)()
        for connection in self._connections():
            connection.leave()
        if stage is Stage.LEAVING:
            _log.info("stopping", delay=self._delay_seconds)
            asyncio.get_running_loop().call_later(self._delay_seconds, self._advance, Stage.DRAINING)
        else:
            self.should_exit = True

    async def _stop_listening(self, sockets: Sequence[socket.socket]) -> None:
        """Takes over every connection that the kernel has already accepted; closing a listener resets them."""
        held = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        loop = asyncio.get_running_loop()
        for listener in held:
            for connection in await _accept_last(listener):
                with suppress(OSError):
                    await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(self.config, self.server_state, self.lifespan.state)

    def _connections(self) -> list[BoundedHttpProtocol]:
        return cast("list[BoundedHttpProtocol]", list(self.server_state.connections))


def _nothing() -> None:
    """What applications do that have nothing to end."""


async def _accept_last(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait at a listener, which is closed so that none is made between the last and its end.

    A connection to ourselves fills its queue. The kernel drops what a full queue has no place for, so that whoever
    comes now is refused when they try again, and not reset with a request on its way.
    """
    accepted: list[socket.socket] = []
    listener.setblocking(False)
    listener.listen(0)
    for _ in range(_FILLING_ATTEMPTS):
        with suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])
        with socket.socket(listener.family) as filling, suppress(OSError):
            filling.setblocking(False)
            async with asyncio.timeout(_FILLING_SECONDS):
                await asyncio.get_running_loop().sock_connect(filling, listener.getsockname())
                listener.close()
                break
    listener.close()
    return accepted
