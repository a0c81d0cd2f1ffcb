"""The servers that the attacks are made on."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.attacks.target import UPSTREAM_CLIENT, Later, Target
from tests.support.document_host import publishing
from tests.support.services import Addresses, AuthServer, auth_serving
from tests.support.shifted_server import Surroundings


@pytest.fixture(scope="session")
def target(auth_server: AuthServer) -> Iterator[Target]:
    """The session's auth-server, and a person's browser, which stays signed in."""
    with httpx2.Client(base_url=auth_server.issuer, timeout=60) as browser:
        yield Target(auth_server, browser)


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Later]:
    """An auth-server whose clock and name server are the test's, with a host that it fetches documents from.

    The provider of the workspace acme, at which people can sign in as well, is there too; another host has a
    certificate that is worth nothing.
    """
    directory = tmp_path_factory.mktemp("later")
    (directory / "false").mkdir()
    secret = directory / "upstream.secret"
    secret.write_text(UPSTREAM_CLIENT.secret)
    secret.chmod(0o600)
    surroundings = Surroundings(directory / "surroundings.json")
    surroundings.set()
    command = (sys.executable, "-m", "tests.support.shifted_server", str(surroundings.file))
    with (
        publishing(directory, "host.example", "login.example") as host,
        publishing(directory / "false", "false.example") as false,
    ):
        origins = [each.settings["AUTH_CLIENT_DOCUMENT_ORIGINS"] for each in (host, false)]
        settings = {
            "AUTH_CLIENT_DOCUMENT_ORIGINS": ",".join([*origins, f"https://host.example:8443=127.0.0.1:{host.port}"]),
            "AUTH_ASSERTION_ISSUERS": "acme https://login.example https://login.example/jwks.json",
            "AUTH_TRUSTED_PROXIES": "127.0.0.1",
            "AUTH_UPSTREAM_ISSUER": "https://login.example",
            "AUTH_UPSTREAM_CLIENT_ID": UPSTREAM_CLIENT.id,
            "AUTH_UPSTREAM_CLIENT_SECRET_FILE": str(secret),
            "SSL_CERT_FILE": host.settings["SSL_CERT_FILE"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with (
            auth_serving(Addresses(), directory, command=command, **settings) as server,
            httpx2.Client(base_url=server.issuer, timeout=60) as browser,
        ):
            yield Later(server, browser, surroundings=surroundings, host=host, false_host=false)
