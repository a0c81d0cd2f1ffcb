"""The JSON answers of the endpoints that programs call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An HTTP answer: status, JSON object (None for an empty body), and headers beyond the content type.

    `reason` is why it is a refusal, for logs; None for a success.
    """

    status: int
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
