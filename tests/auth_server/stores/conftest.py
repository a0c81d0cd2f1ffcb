"""An empty store of each backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth_server.stores.backends import BACKENDS, Store


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend."""
    return str(request.param)


@pytest.fixture
def store(backend: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store of that backend."""
    with BACKENDS[backend](tmp_path / "store") as opened:
        yield opened
