"""Calls made at the same moment."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")
_MEET_SECONDS = 60


def at_once(calls: Sequence[Callable[[], _Result]]) -> list[_Result]:
    """The results of all calls, none of which began before every caller was ready."""
    ready = threading.Barrier(len(calls))

    def meet(call: Callable[[], _Result]) -> _Result:
        ready.wait(_MEET_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [outcome.result() for outcome in [pool.submit(meet, call) for call in calls]]
