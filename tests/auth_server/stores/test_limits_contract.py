"""What every store promises about windows of attempts and about what may be used once."""

from pathlib import Path

import pytest

from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS
from tests.auth_server.stores.test_contract import NOW, at_once

pytestmark = pytest.mark.anyio

MINUTE = 60.0


async def test_a_full_window_tells_when_its_oldest_attempt_leaves(store: Store) -> None:
    for second in range(3):
        assert await store.count_attempt("k", 3, MINUTE, NOW + second) is None
    assert await store.count_attempt("k", 3, MINUTE, NOW + 3) == NOW + MINUTE
    assert await store.count_attempt("k", 3, MINUTE, NOW + 59.5) == NOW + MINUTE


async def test_a_window_moves_and_refused_attempts_do_not_count(store: Store) -> None:
    for second in range(3):
        await store.count_attempt("k", 3, MINUTE, NOW + second)
    for _ in range(5):
        await store.count_attempt("k", 3, MINUTE, NOW + 30)
    assert await store.count_attempt("k", 3, MINUTE, NOW + MINUTE) is None
    assert await store.count_attempt("k", 3, MINUTE, NOW + MINUTE) == NOW + MINUTE + 1


async def test_attempts_of_one_moment_count_each(store: Store) -> None:
    outcomes = [await store.count_attempt("k", 5, MINUTE, NOW) for _ in range(7)]
    assert outcomes == [None] * 5 + [NOW + MINUTE] * 2


async def test_windows_are_apart(store: Store) -> None:
    assert await store.count_attempt("a", 1, MINUTE, NOW) is None
    assert await store.count_attempt("b", 1, MINUTE, NOW) is None
    assert await store.count_attempt("a", 1, MINUTE, NOW) is not None
    await store.forget_attempts("a")
    assert await store.count_attempt("a", 1, MINUTE, NOW) is None
    assert await store.count_attempt("b", 1, MINUTE, NOW) is not None


async def test_forgetting_what_nobody_tried_is_no_error(store: Store) -> None:
    await store.forget_attempts("nobody")


async def test_of_40_attempts_at_once_as_many_count_as_may(store: Store) -> None:
    outcomes = await at_once(lambda: store.count_attempt("k", 7, MINUTE, NOW))
    assert outcomes.count(None) == 7
    assert set(outcomes) == {None, NOW + MINUTE}


async def test_clocks_may_differ(store: Store) -> None:
    """An attempt that another machine counted a moment later than now counts, one of a clock set back does not."""
    assert await store.count_attempt("k", 1, MINUTE, NOW + 5) is None
    assert await store.count_attempt("k", 1, MINUTE, NOW) == NOW + 5 + MINUTE
    assert await store.count_attempt("k", 1, MINUTE, NOW + 5 - MINUTE) is None


async def test_attempts_outlive_a_restart(backend: str, tmp_path: Path) -> None:
    async with BACKENDS[backend](tmp_path / "store") as store:
        assert await store.count_attempt("k", 1, MINUTE, NOW) is None
    async with BACKENDS[backend](tmp_path / "store") as store:
        assert await store.count_attempt("k", 1, MINUTE, NOW) == NOW + MINUTE


async def test_what_is_used_once_is_used_once(store: Store) -> None:
    assert await store.use_once("jti", NOW + 10, NOW)
    assert not await store.use_once("jti", NOW + 10, NOW)
    assert not await store.use_once("jti", NOW + 99, NOW + 9.5)
    assert await store.use_once("other", NOW + 10, NOW)


async def test_a_mark_ends_when_it_expires(store: Store) -> None:
    assert await store.use_once("jti", NOW + 10, NOW)
    assert await store.use_once("jti", NOW + 30, NOW + 10)
    assert not await store.use_once("jti", NOW + 30, NOW + 20)


async def test_of_40_uses_at_once_one_succeeds(store: Store) -> None:
    outcomes = await at_once(lambda: store.use_once("jti", NOW + 10, NOW))
    assert sorted(outcomes) == [False] * 39 + [True]


async def test_of_40_uses_of_an_expired_mark_one_succeeds(store: Store) -> None:
    await store.use_once("jti", NOW, NOW - 1)
    outcomes = await at_once(lambda: store.use_once("jti", NOW + 10, NOW))
    assert sorted(outcomes) == [False] * 39 + [True]


async def test_sweeping_forgets_only_what_is_over(store: Store) -> None:
    await store.count_attempt("k", 2, MINUTE, NOW)
    await store.count_attempt("k", 2, MINUTE, NOW + 10)
    await store.use_once("jti", NOW + 50, NOW)
    await store.sweep(NOW + 49)
    assert await store.count_attempt("k", 2, MINUTE, NOW + 49) == NOW + MINUTE
    assert not await store.use_once("jti", NOW + 50, NOW + 49)
    await store.sweep(NOW + 80)
    assert await store.count_attempt("k", 2, MINUTE, NOW + 80) is None
    assert await store.use_once("jti", NOW + 90, NOW + 80)
