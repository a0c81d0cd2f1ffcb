"""Counts the requests that a client of DynamoDB or STS makes, on the events that botocore emits for each attempt.

They are the one place that sees what botocore repeats by itself: a lost request, a server error, throttling of the
catalogue's requests. A request counts as sent once it is signed, so the time to its answer has no part of fetching
credentials; the answer counts when its body is read and parsed. What never came, or was unreadable, has no time.
"""

import time
from collections.abc import Callable
from typing import Any

from mcp_server.adapters.dynamodb.pace import THROTTLING
from mcp_server.adapters.dynamodb.responses import RAW, RawResponses
from mcp_server.ports.tally import Tally

_SENT_AT = "dynamosql_sent_at"
"""The entry of botocore's context, which is one dictionary per call, for the last attempt's time."""


def tally_requests(events: Any, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
    """Tells `tally` of every request of the client whose `meta.events` these are."""

    def sent(request: Any, operation_name: str, **_: Any) -> None:
        request.context[_SENT_AT] = clock()
        tally.request_sent(operation_name)

    def answered(context: dict[str, Any], parsed_response: Any, event_name: str, **_: Any) -> None:
        if parsed_response is None:  # no answer came
            return
        tally.request_answered(event_name.rpartition(".")[2], clock() - context[_SENT_AT])
        raw = parsed_response.get(RAW)
        if raw is None:
            if parsed_response.get("Error", {}).get("Code") in THROTTLING:
                tally.request_throttled()
        elif isinstance(raw, RawResponses) and any(left.Keys for left in raw.UnprocessedKeys.values()):
            tally.batch_cut()

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
