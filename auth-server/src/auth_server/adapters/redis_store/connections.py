"""A bounded number of connections to one Redis, each with one exchange at a time."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import cast

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, ReadOnlyError, RedisError, ResponseError

from auth_server.adapters.redis_store.address import Address

CONNECTIONS = 32
"""Most connections of one process."""
LOST = "LOST"
"""How scripts begin the error that there is no store, or another one, where it was."""
Command = Sequence[str | bytes | int | float]
Reply = bytes | int | list["Reply"] | ResponseError | None


class Connections:
    """The connections; opened when first needed, and anew after any failure.

    All keys of a store are in one slot. Where a cluster says that another node has it, the connections go there, until
    that node fails. The driver's own repetitions are off: only who knows the verb knows whether it may be sent twice.
    """

    def __init__(self, address: Address, limit: int = CONNECTIONS) -> None:
        self._address = address
        self._node = (address.host, address.port)
        self._permits = asyncio.Semaphore(limit)
        self._idle: list[Connection] = []
        self._current: set[Connection] = set()

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Sends the commands together; gives their replies, an error among them as a value.

        Raises RedisError, OSError, TimeoutError.
        """
        replies = await self._exchange(commands)
        if not any(map(_is_elsewhere, replies)):
            return replies
        # Nothing has run. Another node has the store, and the name may lead to it: no connection is worth keeping.
        for moved in (reply for reply in replies if isinstance(reply, MovedError)):
            self._node = (moved.host or self._node[0], moved.port)
        await self.close()
        return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        async with self._permits:
            connection = self._idle.pop() if self._idle else self._new()
            try:
                replies = await self._replies(connection, commands)
            except BaseException as error:
                # Also when the caller is cancelled: the next one must not read a reply that is not its own.
                await self._discard(connection)
                if isinstance(error, RedisError | OSError):
                    self._node = (self._address.host, self._address.port)
                raise
            if connection in self._current:
                self._idle.append(connection)
            else:
                await self._discard(connection)
            return replies

    async def _replies(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        if connection.is_connected and await _is_stale(connection):
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py has no types there
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [await _reply(connection) for _ in commands]

    async def close(self) -> None:
        """Closes all connections, those in use when their exchange is over."""
        self._current.clear()
        while self._idle:
            await self._discard(self._idle.pop())

    async def _discard(self, connection: Connection) -> None:
        self._current.discard(connection)
        with contextlib.suppress(OSError):
            await connection.disconnect(nowait=True)

    def _new(self) -> Connection:
        address, (host, port) = self._address, self._node
        connection = (SSLConnection if address.tls else Connection)(
            host=host,
            port=port,
            db=address.database,
            username=address.username,
            password=address.password,
            protocol=2,
            driver_info=None,
            encoding_errors="surrogatepass",
            socket_timeout=None,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        self._current.add(connection)
        return connection


def _is_elsewhere(reply: Reply) -> bool:
    return isinstance(reply, MovedError | ReadOnlyError) or (
        isinstance(reply, ResponseError) and str(reply).startswith(LOST)
    )


async def _is_stale(connection: Connection) -> bool:
    """Whether the server has closed the connection, or sent what nobody asked for."""
    try:
        return bool(await connection.can_read())
    except (RedisError, OSError):
        return True


async def _reply(connection: Connection) -> Reply:
    try:
        return cast("Reply", await connection.read_response())
    except ResponseError as error:
        return error
