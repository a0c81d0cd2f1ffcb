"""An issuer served over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.mcp_server.web.serving import Issuer, listening, origin_of, serving

RESOURCE = "http://localhost:8000/mcp"


@pytest.fixture(scope="package")
async def issuer(anyio_backend: str) -> AsyncIterator[Issuer]:
    """An issuer for RESOURCE that no test changes."""
    async with _serving_issuer() as issuer:
        yield issuer


@pytest.fixture
async def own_issuer(anyio_backend: str) -> AsyncIterator[Issuer]:
    """An issuer for RESOURCE, of this test alone."""
    async with _serving_issuer() as issuer:
        yield issuer


@asynccontextmanager
async def _serving_issuer() -> AsyncIterator[Issuer]:
    with listening() as listener:
        issuer = Issuer(origin_of(listener), RESOURCE)
        async with serving(issuer.app, listener):
            yield issuer
