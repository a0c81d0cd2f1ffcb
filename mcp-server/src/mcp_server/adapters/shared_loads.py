"""What is loaded from elsewhere and remembered: whoever wants the same thing at the same time shares one load of it."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from mcp_server.ports.catalog import Refresh
from mcp_server.ports.tally import Tally
from shared_kernel.clock import Clock

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Known:
    """What was loaded, and when."""

    value: Any
    at: float
    """Seconds since the epoch, to show."""
    loaded: float
    """The same moment on the monotonic clock, to tell its age by."""


@dataclass(slots=True, eq=False)
class _Loading:
    """A load under way, and how many callers wait for it."""

    task: asyncio.Task[Any]
    waiting: int = 0


class SharedLoads(Generic[_Key]):
    """Remembers what was loaded under each key; None is what does not exist, and is not remembered.

    A load that takes more than `seconds` ends with the exception that `late` gives for its key: everybody who waits is
    told, and the next caller starts another. After `stale_after_seconds` what is known is loaded anew.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seconds: float,
        stale_after_seconds: int,
        late: Callable[[_Key], Exception],
        tally: Tally,
    ) -> None:
        self._clock, self._tally = clock, tally
        self._seconds, self._stale_after_seconds, self._late = seconds, stale_after_seconds, late
        self._known: dict[_Key, Known] = {}
        self._loading: dict[_Key, _Loading] = {}

    def known(self, key: _Key) -> Known | None:
        """What is known under a key, however old."""
        return self._known.get(key)

    def fresh(self, key: _Key) -> Any:
        """The value that is known under a key and not stale, None without one: then it is for `get` to be asked."""
        known = self._known.get(key)
        if known is None or self._is_stale(known):
            return None
        self._tally.cache_asked("tables", hit=True)
        return known.value

    def __iter__(self) -> Iterator[_Key]:
        """The keys of what is known; that of what was loaded last comes last."""
        return iter(self._known)

    def keep(self, key: _Key, known: Known) -> None:
        """Remembers something under a key instead of what is known."""
        self._known[key] = known

    def drop(self, key: _Key) -> None:
        """Remembers nothing of a key."""
        self._known.pop(key, None)

    def age(self, key: _Key) -> float:
        """Seconds since what is known under a key was loaded; infinite where nothing is."""
        known = self._known.get(key)
        return self._clock.monotonic() - known.loaded if known is not None else math.inf

    def _is_stale(self, known: Known) -> bool:
        return self._clock.monotonic() - known.loaded >= self._stale_after_seconds

    async def get(
        self,
        key: _Key,
        refresh: Refresh,
        load: Callable[[], Coroutine[Any, Any, Any]],
        begin: Callable[[], None] | None = None,
    ) -> tuple[Any, float, bool]:
        """What is known under a key, when it was loaded, and whether that was now.

        `begin` is called before a load, and what it raises keeps that from beginning.
        """
        known = self._known.get(key)
        hit = known is not None and (refresh == "skip" or (refresh == "if_stale" and not self._is_stale(known)))
        if refresh != "force":  # which does not ask what is known
            self._tally.cache_asked("tables", hit=hit)
        if known is not None and hit:
            return known.value, known.at, False
        loading = self._loading.get(key)
        if loading is None:
            if begin is not None:
                begin()
            loading = self._loading[key] = _Loading(asyncio.create_task(self._load(key, load)))
            loading.task.add_done_callback(partial(self._loaded, key, loading))
        loading.waiting += 1
        try:
            # A caller who gives up does not take the others' answer away.
            value, at = await asyncio.shield(loading.task)
        except asyncio.CancelledError:
            if loading.waiting == 1:  # nobody waits for it any more
                self._forget(key, loading)
                loading.task.cancel()
            raise
        finally:
            loading.waiting -= 1
        return value, at, True

    async def aclose(self) -> None:
        """Ends the loads that are still under way."""
        tasks = [loading.task for loading in self._loading.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, key: _Key, load: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float]:
        try:
            async with asyncio.timeout(self._seconds):
                value = await load()
        except TimeoutError:
            raise self._late(key) from None
        at = self._clock.now()
        self._known.pop(key, None)
        if value is not None:
            self._known[key] = Known(value, at, self._clock.monotonic())
        return value, at

    def _loaded(self, key: _Key, loading: _Loading, task: asyncio.Task[Any]) -> None:
        self._forget(key, loading)
        if not task.cancelled():
            task.exception()  # retrieve the exception, or asyncio warns

    def _forget(self, key: _Key, loading: _Loading) -> None:
        """Who comes from now on starts another load."""
        if self._loading.get(key) is loading:
            del self._loading[key]
