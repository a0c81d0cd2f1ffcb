"""Whatever is done with it, every store answers as the embedded one does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.auth_server.stores.backends import BACKENDS
from tests.auth_server.stores.random_use import STEPS, Use

pytestmark = pytest.mark.slow

EXAMPLES = 10


@pytest.mark.parametrize("backend", ["dynamodb-dynoxide", "redis"], indirect=True)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,  # to look for more, raise EXAMPLES and remove this
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_random_use_has_the_same_outcomes(backend: str, tmp_path: Path, steps: list[tuple[str, int, int]]) -> None:
    """One step after another; what they concern and what time it is are the same in both."""
    directory = tmp_path / str(len(list(tmp_path.iterdir())))
    directory.mkdir()
    expected = asyncio.run(_used("sqlite", directory / "embedded", steps))
    outcomes = asyncio.run(_used(backend, directory / "store", steps))
    for step, ours, theirs in zip(steps, expected, outcomes, strict=True):
        assert theirs == ours, step


async def _used(backend: str, path: Path, steps: list[tuple[str, int, int]]) -> list[Any]:
    async with BACKENDS[backend](path) as store:
        use = Use(store)
        await use.begin()
        return [await use.step(*step) for step in steps]
