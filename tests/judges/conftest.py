"""What the judges are shown besides the pair of services that all tests share."""

import time
from collections.abc import Iterator

import pytest

from tests.support.client_keys import ClientKey
from tests.support.document_host import DocumentHost
from tests.support.services import EMAIL, Addresses, AuthServer, Client, McpServer, auth_serving, mcp_serving

PROVIDER = "https://client.example"
PROVIDER_KEYS = f"{PROVIDER}/jwks.json"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="session")
def provider_key(document_host: DocumentHost) -> ClientKey:
    """The key of a company's identity provider, which publishes it."""
    key = ClientKey()
    document_host.documents[PROVIDER_KEYS] = {"keys": [key.jwk()]}
    return key


@pytest.fixture(scope="session")
def demanding(
    document_host: DocumentHost, provider_key: ClientKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AuthServer, McpServer]]:
    """A pair that demands a nonce in every proof of possession, and takes assertions of the company's provider."""
    del provider_key
    addresses, directory = Addresses(), tmp_path_factory.mktemp("demanding")
    more = {
        **document_host.settings,
        "AUTH_DPOP_NONCE_REQUIRED": "true",
        "AUTH_ASSERTION_ISSUERS": f"default {PROVIDER} {PROVIDER_KEYS}",
    }
    with (
        auth_serving(addresses, directory, **more) as auth,
        mcp_serving(addresses, directory, NOWHERE, MCP_DPOP_NONCE_REQUIRED="true") as mcp,
    ):
        yield auth, mcp


def identity_assertion(key: ClientKey, auth: AuthServer, client: Client) -> str:
    """What the provider gives a client of the company for the person of the tests (ID-JAG); it works once."""
    now = int(time.time())
    return key.assertion(
        "",
        auth.issuer,
        now,
        header={"typ": "oauth-id-jag+jwt"},
        iss=PROVIDER,
        sub="00u1a2b3",
        iat=now,
        client_id=client.id,
        email=EMAIL,
        resource=auth.resource,
        scope="query schemas:read",
    )
