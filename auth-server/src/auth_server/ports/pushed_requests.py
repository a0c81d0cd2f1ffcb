"""Authorization requests that clients have sent ahead of the browser (RFC 9126)."""

from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.authorization import PushedRequest, Transaction


@dataclass(frozen=True, slots=True)
class Started:
    """The request was used, by the start of the transaction with that digest."""

    transaction_digest: str


class PushedRequestStore(Protocol):
    """Pushed requests, each of which starts one transaction."""

    async def push(self, request: PushedRequest) -> None:
        """Adds a request."""
        ...

    async def pushed_request(self, digest: str, now: float) -> PushedRequest | Started | None:
        """The request; Started once it was used, for TRANSACTION_LIFETIME at least; None if unknown or expired."""
        ...

    async def start_pushed(self, digest: str, transaction: Transaction, now: float) -> bool:
        """Uses the request and adds its transaction, in one step; False if it was not there to use.

        Calling it again with the same transaction changes nothing and gives True.
        """
        ...
