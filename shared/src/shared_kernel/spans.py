"""Spans: what a piece of work was, for how long, and inside which other. Whoever works opens them here.

They cost next to nothing until the request that is being served is traced, which shared_kernel.traces decides.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

Value = str | int | float | bool | tuple[str, ...]
Attributes = Mapping[str, Value]
SetAttributes = Callable[[Attributes], None]
"""Says more of a span while it lasts."""
Start = Callable[[str, Attributes, Mapping[str, str]], AbstractContextManager[SetAttributes]]
"""Starts a span of that name and with those attributes, inside the one under way or the caller's that is named."""

START: ContextVar[Start | None] = ContextVar("start_span", default=None)
"""How a span is started in the request that is being served; None where nobody traces it."""

_NO_CALLER: Mapping[str, str] = {}


def traced() -> bool:
    """Whether anybody is told of a span that begins now; whoever has to work out its attributes may ask."""
    return START.get() is not None


def span(
    name: str, attributes: Attributes, caller: Mapping[str, str] = _NO_CALLER
) -> AbstractContextManager[SetAttributes]:
    """What is done inside is told as one span. An exception that leaves it is told by its kind, never by its text.

    `caller` holds the `traceparent` of whoever asked for it (https://www.w3.org/TR/trace-context/), if that is another
    one than the request's. Attributes have the names of OpenTelemetry's semantic conventions, and hold no secret, no
    statement and no value of an item.
    """
    start = START.get()
    return _UNTRACED if start is None else start(name, attributes, caller)


def _unsaid(_: Attributes) -> None:
    """Takes what nobody is told."""


_UNTRACED = nullcontext(_unsaid)
