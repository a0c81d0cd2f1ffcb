"""A store whose verbs are timed, whichever backend it is."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from auth_server.ports.store import Store, StoreUnavailable
from shared_kernel.clock import Clock
from shared_kernel.metrics import Histogram

VERBS: Final = frozenset(
    name
    for port in Store.__mro__
    for name, verb in vars(port).items()
    if inspect.iscoroutinefunction(verb) and not name.startswith("_")
)
"""Those of all ports. What is read as a stream is an operator's, and takes as long as its reader does."""


def measured(store: Store, kind: str, seconds: Histogram, clock: Clock) -> Store:
    """The same store; what each call took is added to `seconds` by the kind of store, the verb and the outcome."""
    return cast("Store", _MeasuredStore(store, kind, seconds, clock))


class _MeasuredStore:
    """Implements Store with the verbs of another one."""

    def __init__(self, store: Store, kind: str, seconds: Histogram, clock: Clock) -> None:
        self._store = store
        for verb in VERBS:
            setattr(self, verb, _timed(getattr(store, verb), kind, verb, seconds, clock))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _timed(
    call: Callable[..., Awaitable[Any]], kind: str, verb: str, seconds: Histogram, clock: Clock
) -> Callable[..., Awaitable[Any]]:
    async def timed(*arguments: Any, **named: Any) -> Any:
        started, outcome = clock.monotonic(), "failed"
        try:
            answer = await call(*arguments, **named)
            outcome = "answered"
        except StoreUnavailable:
            outcome = "unavailable"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            seconds.add(clock.monotonic() - started, kind, verb, outcome)
        return answer

    return timed
