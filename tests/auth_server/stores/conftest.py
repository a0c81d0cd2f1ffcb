"""An empty store of each backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend."""
    return str(request.param)


@pytest.fixture
async def store(backend: str, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of that backend."""
    async with BACKENDS[backend](tmp_path / "store") as opened:
        yield opened
