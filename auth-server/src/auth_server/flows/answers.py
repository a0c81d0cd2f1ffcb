"""The JSON answers of the endpoints that programs call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auth_server.domain.failures import WIRE, Reason

# RFC 6749 §5.1: 'the "Cache-Control" response header field with a value of "no-store" [...] "Pragma" [...] "no-cache"'
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
STORE_RETRY_AFTER = 2


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An HTTP answer: status, JSON object (None for an empty body), and headers beyond the content type.

    `reason` is why it is a refusal, for logs; None for a success.
    """

    status: int
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=lambda: dict(NOT_STORED))
    reason: Reason | None = None


def refusal_answer(reason: Reason, retry_after: int = STORE_RETRY_AFTER) -> JsonAnswer:
    """The answer that the policy table gives for a reason; `retry_after` (seconds) is said with 429 and 503 only."""
    wire = WIRE[reason]
    headers = dict(NOT_STORED)
    if wire.status == 401:
        # RFC 6749 §5.2: 'the response MUST include the "WWW-Authenticate" response header field'
        headers["WWW-Authenticate"] = 'Basic realm="authorization server", charset="UTF-8"'
    if wire.status in (429, 503):
        headers["Retry-After"] = str(retry_after)
    return JsonAnswer(wire.status, {"error": wire.error, "error_description": wire.description}, headers, reason)
