"""Counts the requests for a page that DynamoDB may have carried out, and charged for, though no answer could be used.

botocore tells how often it repeated a request only where that was answered at last. What it repeated before the answer
was throttled or could not be read would be forgotten, and so would each answer that could not be read.
"""

from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any

from mcp_server.adapters.dynamodb.responses import UnreadableResponse


class RequestGivenUp(Exception):
    """Nobody waits for the answer to a request any more, so it is not repeated."""


class Lost:
    """The lost requests since the last answer to the same request."""

    def __init__(self) -> None:
        self.requests = 0
        self.given_up = False
        """Whether nobody waits for the answer any more."""

    def give_up(self) -> None:
        """Lets nothing be repeated from now on."""
        self.given_up = True

    async def before(self, response: Awaitable[Any]) -> Any:
        """The response of a client; all requests that were lost before it are among its RetryAttempts."""
        token = _current.set(self)
        try:
            answered = await response
        except UnreadableResponse:
            self.requests += 1
            raise
        finally:
            _current.reset(token)
        answered["ResponseMetadata"]["RetryAttempts"] = self.requests
        self.requests = 0
        return answered


_current: ContextVar[Lost | None] = ContextVar("lost", default=None)


def one_lost() -> None:
    """Counts an attempt of the call that is running, whose answer was lost or an error of DynamoDB's own.

    Raises RequestGivenUp where it is not to be repeated.
    """
    lost = _current.get()
    if lost is not None:
        lost.requests += 1
        if lost.given_up:
            raise RequestGivenUp
