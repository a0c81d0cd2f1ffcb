"""Counts the requests that a client of DynamoDB or STS makes.

It hears of them by the events that botocore emits for each attempt, or from `sending`. That is the one place that sees
what botocore repeats by itself: a lost request, a server error, throttling of the catalogue's requests. A request
counts as sent once it is signed, so the time to its answer has no part of fetching credentials; the answer counts when
its body is read and parsed. What never came, or was unreadable, has no time.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from mcp_server.adapters.dynamodb.pace import THROTTLING
from mcp_server.adapters.dynamodb.responses import RAW, RawResponses
from mcp_server.ports.tally import Tally

_SENT_AT = "dynamosql_sent_at"
"""The entry of botocore's context, which is one dictionary per call, for the last attempt's time."""


class RequestTally:
    """Tells `tally` of the attempts of requests to DynamoDB; `context` is botocore's, of the call they belong to."""

    def __init__(self, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally, self._clock = tally, clock

    def sent(self, context: dict[str, Any], operation: str) -> None:
        """An attempt is signed and goes out."""
        context[_SENT_AT] = self._clock()
        self._tally.request_sent(operation)

    def answered(self, context: Mapping[str, Any], operation: str, parsed: Mapping[str, Any] | None) -> None:
        """An attempt has its answer, as it was parsed; None when none came."""
        if parsed is None:
            return
        self._tally.request_answered(operation, self._clock() - context[_SENT_AT])
        raw = parsed.get(RAW)
        if raw is None:
            if parsed.get("Error", {}).get("Code") in THROTTLING:
                self._tally.request_throttled()
        elif isinstance(raw, RawResponses) and any(left.Keys for left in raw.UnprocessedKeys.values()):
            self._tally.batch_cut()


def tally_requests(events: Any, tally: RequestTally) -> None:
    """Tells `tally` of every request of the client whose `meta.events` these are."""

    def sent(request: Any, operation_name: str, **_: Any) -> None:
        tally.sent(request.context, operation_name)

    def answered(context: dict[str, Any], parsed_response: Any, event_name: str, **_: Any) -> None:
        tally.answered(context, event_name.rpartition(".")[2], parsed_response)

    events.register_last("request-created.dynamodb", sent)
    events.register_last("response-received.dynamodb", answered)


def tally_roles(events: Any, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
    """Tells `tally` of every request of the client of STS whose `meta.events` these are."""

    def sent(request: Any, **_: Any) -> None:
        request.context[_SENT_AT] = clock()
        tally.role_sought()

    def answered(context: dict[str, Any], parsed_response: Any, **_: Any) -> None:
        if parsed_response is not None:
            tally.role_answered(clock() - context[_SENT_AT])

    events.register_last("request-created.sts", sent)
    events.register_last("response-received.sts", answered)
