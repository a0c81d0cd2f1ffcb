"""What one replica has others hear at once, since clients send each message to whichever replica they reach."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a relayed message is about."""

    CANCELLATION = "cancellation"
    """A call is to end; `subject` is the call's digest."""
    RESPONSE = "response"
    """A client has answered a request of ours, of which `subject` is the digest; `body` is the JSON-RPC response."""
    LOG_LEVEL = "log_level"
    """A sign-in, whose digest is `subject`, has set the lowest level of log messages that it takes."""
    SCOPES = "scopes"
    """A person or program at one client, whose digest is `subject`, has come with the scopes whose digest is `body`."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """One message: `subject` is a digest that says nothing of whom it concerns, `body` is up to the kind."""

    kind: Kind
    subject: str
    body: str = ""


class Relay(Protocol):
    """Messages that one replica sends and all others hear, at best: they are lost while what they share is away."""

    async def send(self, message: Relayed) -> None:
        """Has all other replicas hear a message. Never raises."""
        ...

    async def keep_hearing(self, hear: Callable[[Relayed], None], caught_up: Callable[[], Awaitable[None]]) -> None:
        """Has `hear` take every message until it is cancelled itself.

        `caught_up` is awaited whenever hearing has begun, again too: what was sent before then is lost.
        """
        ...
