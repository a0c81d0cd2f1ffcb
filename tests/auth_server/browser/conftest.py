"""A client with a redirect URI of every kind, registered at the session's auth-server."""

import pytest

from tests.support.services import AuthServer, Client

LOOPBACK_URI = "http://127.0.0.1/callback"
WEB_URI = "https://client.example.com/callback"
CURSOR_URI = "cursor://anysphere.cursor-mcp/oauth/callback"


@pytest.fixture(scope="session")
def native_app(auth_server: AuthServer) -> Client:
    """A public client."""
    uris = [part for uri in (LOOPBACK_URI, WEB_URI, CURSOR_URI) for part in ("--redirect-uri", uri)]
    return auth_server.create_client("--public", "--name", "Claude Code", *uris)
