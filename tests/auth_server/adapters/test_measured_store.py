"""Whatever a store does is timed by what it was asked for and how that ended, and is done as without."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from auth_server.adapters.dynamodb_store.store import DynamoDbStore
from auth_server.adapters.measured_store import VERBS, measured
from auth_server.adapters.metrics import store_seconds
from auth_server.adapters.redis_store.store import RedisStore
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import Store, StoreUnavailable
from shared_kernel.metrics import MOST_SERIES, Histogram
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio
OUTCOMES = ("answered", "unavailable", "cancelled", "failed")


def counts(seconds: Histogram) -> dict[tuple[str, ...], float]:
    """How often each store, operation and outcome was timed."""
    return {
        tuple(sample.labels[label] for label in seconds.labels): sample.value
        for sample in seconds.family().samples
        if sample.name.endswith("_count")
    }


def a_store(verb: Callable[[], Any], clock: SettableClock) -> tuple[Store, Histogram]:
    """A store all of whose verbs end as that one does, after two seconds."""

    async def done(*_: Any, **__: Any) -> Any:
        clock.time += 2
        return verb()

    seconds = store_seconds()
    verbs = SimpleNamespace(**dict.fromkeys(VERBS, done), records=lambda: iter("ab"))
    return measured(cast("Store", verbs), "redis", seconds, clock), seconds


@pytest.mark.parametrize("backend", [SqliteStore, RedisStore, DynamoDbStore])
def test_every_verb_that_is_awaited_is_timed(backend: type[Store]) -> None:
    awaited = {name for name, verb in inspect.getmembers(backend) if inspect.iscoroutinefunction(verb)}
    assert {name for name in awaited if not name.startswith("_") and hasattr(Store, name)} == VERBS
    assert len(VERBS) * (len(OUTCOMES) - 1) < MOST_SERIES, "in a bad hour each of them is unavailable and cancelled"


async def test_a_verb_is_timed_and_its_answer_handed_on(tmp_path: Path) -> None:
    clock, seconds = SettableClock(), store_seconds()
    sqlite = SqliteStore.open(tmp_path / "store.db")
    store = measured(sqlite, "sqlite", seconds, clock)
    try:
        await store.check()
        for _ in range(2):
            assert await store.use_once("proof", expires_at=clock.now() + 60, now=clock.now()) is not None
        assert [record async for record in store.records()]
    finally:
        sqlite.close()
    assert counts(seconds) == {("sqlite", "check", "answered"): 1, ("sqlite", "use_once", "answered"): 2}


def raising(error: BaseException) -> Callable[[], Any]:
    """A verb that ends so."""

    def verb() -> Any:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StoreUnavailable(), "unavailable"),
        (asyncio.CancelledError(), "cancelled"),
        (ValueError("a defect"), "failed"),
    ],
)
async def test_how_a_verb_fails_is_told_and_handed_on(error: BaseException, outcome: str) -> None:
    clock = SettableClock()
    store, seconds = a_store(raising(error), clock)
    with pytest.raises(type(error)) as raised:
        await store.client("someone")
    assert raised.value is error
    assert counts(seconds) == {("redis", "client", outcome): 1}
    [total] = [sample.value for sample in seconds.family().samples if sample.name.endswith("_sum")]
    assert total == 2
