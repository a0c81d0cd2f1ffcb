"""TCP connections to hosts of the public Internet only, whatever their names resolve to."""

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio.to_thread
import httpcore2
from httpcore2 import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from auth_server.adapters.client_documents.public_addresses import is_public

_RESOLVING_THREADS = 16
_MOST_ADDRESSES = 4
_CONNECT_SECONDS = 1.5  # for one address, so that a dead one leaves time for the next

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, in the order of preference. Raises OSError if it has none."""


class ForbiddenAddress(Exception):
    """The host has an address that must not be connected to."""


class PublicConnections(AsyncNetworkBackend):
    """What httpcore connects through: one resolution, every address judged, and the connected socket once more.

    A name whose answers are partly private is refused whole: it would be a matter of luck which one is used. There is
    no second resolution that could answer something else. `named` are hosts that the operator knows, by host and port:
    they may be anywhere, and are connected at the host and port that they are mapped to.
    """

    def __init__(
        self,
        named: Mapping[tuple[str, int], tuple[str, int]],
        *,
        resolve: Resolver | None = None,
        admits: Callable[[str], bool] = is_public,
    ) -> None:
        self._named, self._resolve, self._admits = named, resolve or SystemResolver(), admits
        self._backend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        """See AsyncNetworkBackend. Raises ForbiddenAddress, httpcore2.ConnectError, ConnectTimeout."""
        seconds = min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
        place = self._named.get((host, port))
        try:
            addresses = await self._resolve(*(place or (host, port)))
        except OSError as error:
            message = "the name has no address"
            raise httpcore2.ConnectError(message) from error
        if place is None:
            self._check(addresses)
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                stream = await self._backend.connect_tcp(
                    address, place[1] if place else port, seconds, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            if place is None:
                await self._check_peer(stream, addresses)
            return stream
        raise failure

    async def _check_peer(self, stream: AsyncNetworkStream, addresses: list[str]) -> None:
        peer = stream.get_extra_info("server_addr")
        try:
            self._check([peer[0]])
            if peer[0] not in addresses:
                raise ForbiddenAddress
        except BaseException:
            with anyio.CancelScope(shield=True):
                await stream.aclose()
            raise

    def _check(self, addresses: Iterable[str]) -> None:
        if not all(map(self._admits, addresses)):
            raise ForbiddenAddress


class SystemResolver:
    """The operating system's resolver, in threads of its own: slow name servers must not use up everybody's."""

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(_RESOLVING_THREADS)

    async def __call__(self, host: str, port: int) -> list[str]:
        """See Resolver."""
        found = await anyio.to_thread.run_sync(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            abandon_on_cancel=True,
            limiter=self._threads,
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
