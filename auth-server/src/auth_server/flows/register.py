"""`/register`: dynamic registration of public clients (RFC 7591)."""

from auth_server.domain.failures import Reason, Refused
from auth_server.flows.answers import JsonAnswer, refusal_answer
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.store import StoreUnavailable
from auth_server.protocol import registration
from shared_kernel.clock import Clock


class Register:
    """Registers clients."""

    def __init__(self, *, clients: ClientStore, limiter: AttemptLimiter, clock: Clock) -> None:
        self._clients, self._limiter, self._clock = clients, limiter, clock

    async def register(self, metadata: object, address: str) -> JsonAnswer:
        """Answers a registration. `metadata` is the parsed JSON body, whatever it is; `address` the caller's.

        Never raises: a store that cannot answer becomes 503.
        """
        retry_after = self._limiter.registration_attempt(address)
        if retry_after is not None:
            return refusal_answer(Reason.TOO_MANY_REQUESTS, retry_after)
        try:
            registered = registration.register(metadata, self._clock.now())
            await self._clients.add_client(registered.client)
        except Refused as refusal:
            return refusal_answer(refusal.reason)
        except StoreUnavailable:
            return refusal_answer(Reason.STORE_UNAVAILABLE)
        return JsonAnswer(201, registered.answer)
