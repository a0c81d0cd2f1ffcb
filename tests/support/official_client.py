"""The official Python MCP client, signing in through a real browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio.to_thread
import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.support.browser import Browser
from tests.support.callback import Callback

CALL_SECONDS = 180.0
MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
"""The client's name for the way to reach each protocol version."""


@dataclass(slots=True)
class Storage:
    """Keeps what the client was given, and the authorization requests it made."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    authorize_urls: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    async def get_tokens(self) -> OAuthToken | None:
        """The newest tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keeps newer tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The registration."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keeps the registration."""
        self.client = client_info


def sign_in_provider(
    resource: str, storage: Storage, browser: Browser, callback: Callback, *, client_metadata_url: str | None = None
) -> OAuthClientProvider:
    """What makes the client's HTTP requests authorized: discovery, registration, browser, tokens, refresh.

    A client with a metadata document at `client_metadata_url` prefers that to registration, where it is offered.
    """

    async def open_browser(url: str) -> None:
        storage.authorize_urls.append(url)
        await anyio.to_thread.run_sync(browser.allow, url)

    async def receive_code() -> AuthorizationCodeResult:
        answer = await anyio.to_thread.run_sync(callback.next)
        storage.codes.append(answer["code"])
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    metadata = OAuthClientMetadata(
        client_name="Official Python client",
        redirect_uris=[AnyUrl(callback.redirect_uri)],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(
        resource, metadata, storage, open_browser, receive_code, client_metadata_url=client_metadata_url
    )


@asynccontextmanager
async def connected(resource: str, provider: httpx2.Auth, version: str) -> AsyncIterator[Client]:
    """The client, connected under one protocol version."""
    async with (
        httpx2.AsyncClient(auth=provider, timeout=CALL_SECONDS) as http,
        Client(streamable_http_client(resource, http_client=http), mode=MODES[version]) as client,
    ):
        assert client.protocol_version == version
        yield client
