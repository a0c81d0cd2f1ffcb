"""The service, seeded once and copied for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.auth_server.web.site import LOCAL_ISSUER, PUBLIC_ISSUER, Seed, Site, opened, sow


@pytest.fixture(scope="session")
async def seed(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Seed:
    """A seeded store."""
    return await sow(tmp_path_factory.mktemp("seed"))


@pytest.fixture
async def site(seed: Seed, tmp_path: Path) -> AsyncIterator[Site]:
    """A service with an http issuer on loopback."""
    async with opened(seed, tmp_path) as running:
        yield running


@pytest.fixture(params=[LOCAL_ISSUER, PUBLIC_ISSUER, f"{PUBLIC_ISSUER}/tenants/one"])
async def any_site(seed: Seed, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A service of each kind of issuer: http on loopback, https, https with a path."""
    async with opened(seed, tmp_path, request.param) as running:
        yield running
