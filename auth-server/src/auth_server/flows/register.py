"""`/register`: dynamic registration of public clients (RFC 7591)."""

from auth_server.flows.answers import JsonAnswer
from auth_server.ports import AttemptLimiter, ClientStore
from shared_kernel.clock import Clock


class Register:
    """Registers clients."""

    def __init__(self, *, clients: ClientStore, limiter: AttemptLimiter, clock: Clock) -> None:
        self._clients, self._limiter, self._clock = clients, limiter, clock

    async def register(self, metadata: object, address: str) -> JsonAnswer:
        """Answers a registration. `metadata` is the parsed JSON body, whatever it is; `address` the caller's.

        Never raises: a store that cannot answer becomes 503.
        """
        raise NotImplementedError
