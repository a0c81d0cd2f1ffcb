"""The server that the attacks are made on."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.attacks.target import Target
from tests.support.services import AuthServer


@pytest.fixture(scope="session")
def target(auth_server: AuthServer) -> Iterator[Target]:
    """The session's auth-server, and a person's browser, which stays signed in."""
    with httpx2.Client(base_url=auth_server.issuer, timeout=60) as browser:
        yield Target(auth_server, browser)
