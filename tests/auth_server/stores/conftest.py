"""An empty store of each backend."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS, EMULATORS, REDIS_URL
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import CREDENTIALS, Emulator
from tests.support.hasty_retries import hasten_retries
from tests.support.light_sdk import lighten_sessions
from tests.support.redis_server import RedisServer, redis_node_serving

_ON_A_SERVER = {"dynamodb-dynoxide": "dynoxide", "dynamodb-ministack": "ministack", "redis": "redis_node"}
"""The fixture that starts a backend's server, where it has one."""


@pytest.fixture(autouse=True)
def hasty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a slow test, requests to DynamoDB are made again after a fiftieth of the pause that a service makes."""
    if request.node.get_closest_marker("slow") is not None:
        hasten_retries(monkeypatch)


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


@pytest.fixture(scope="session")
def _light_sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A table per test makes many sessions of botocore: each would read its files, and all certificates."""
    authority = tmp_path_factory.mktemp("authority") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    with pytest.MonkeyPatch.context() as patch:
        lighten_sessions(patch)
        patch.setenv("AWS_CA_BUNDLE", str(authority))
        yield


@pytest.fixture(scope="session")
def ministack(emulator: Emulator, _light_sdk: None) -> Iterator[Emulator]:
    """The session's MiniStack: every test has a table of its own in it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(EMULATORS["dynamodb-ministack"], emulator.endpoint_url)
        yield emulator


@pytest.fixture(scope="session")
def dynoxide(session_directory: Path, _light_sdk: None) -> Iterator[Emulator]:
    """A Dynoxide of the session: every test has a table of its own in it."""
    serving = dynoxide_serving(session_directory / "dynoxide")
    with pytest.MonkeyPatch.context() as environment, serving as started:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        environment.setenv(EMULATORS["dynamodb-dynoxide"], started.endpoint_url)
        yield started
