"""An empty store of each backend."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS, REDIS_URL
from tests.support.redis_server import RedisServer, redis_node_serving

_ON_A_SERVER = {"redis": "redis_node"}
"""The fixture that starts a backend's server, where it has one."""


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name in _ON_A_SERVER)) for name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend."""
    name = str(request.param)
    if name in _ON_A_SERVER:
        request.getfixturevalue(_ON_A_SERVER[name])
    return name


@pytest.fixture
async def store(backend: str, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of that backend."""
    async with BACKENDS[backend](tmp_path / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def redis_node(session_directory: Path) -> Iterator[RedisServer]:
    """A Redis of the session, as the one node of a cluster: every test has a store of its own in it."""
    serving = redis_node_serving(session_directory / "redis-node")
    with pytest.MonkeyPatch.context() as environment, serving as started:
        environment.setenv(REDIS_URL, started.url)
        yield started
