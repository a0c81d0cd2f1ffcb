"""A world of one's own for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.auth_server.flows.world import World, open_world


@pytest.fixture
async def world(tmp_path: Path, anyio_backend: str) -> AsyncIterator[World]:
    """auth-server without HTTP, empty but for one person."""
    async with open_world(tmp_path / "auth.sqlite") as opened:
        yield opened
