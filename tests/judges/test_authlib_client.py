"""Authlib's own client completes its flows, and Authlib's validators accept the metadata.

auth-server builds on Authlib's server side; the client side and the validators share no code with that.
"""

from urllib.parse import urlencode

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

HEADERS = {"Accept": "application/json, text/event-stream"}
TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture(scope="module")
def metadata(auth_server: AuthServer) -> dict[str, str]:
    """The server's metadata."""
    return dict(httpx2.get(f"{auth_server.issuer}/.well-known/oauth-authorization-server").json())


def test_authlib_accepts_the_metadata(metadata: dict[str, str]) -> None:
    AuthorizationServerMetadata(metadata).validate()


def test_authlibs_client_signs_a_person_in(
    auth_server: AuthServer, mcp_server: McpServer, metadata: dict[str, str], browser: Browser
) -> None:
    """Code with PKCE, the call of a resource, a refresh by itself once the token has expired, and revocation."""
    with listening() as callback:
        known = auth_server.create_client("--public", "--name", "Authlib", "--redirect-uri", callback.redirect_uri)
        with OAuth2Client(
            known.id,
            token_endpoint=metadata["token_endpoint"],
            redirect_uri=callback.redirect_uri,
            scope="schemas:read query",
            code_challenge_method="S256",
        ) as client:
            verifier = generate_token(48)
            url, state = client.create_authorization_url(
                metadata["authorization_endpoint"], code_verifier=verifier, resource=mcp_server.resource
            )
            browser.allow(url)
            answer = f"{callback.redirect_uri}?{urlencode(callback.next())}"
            first = client.fetch_token(authorization_response=answer, state=state, code_verifier=verifier)
            assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200

            client.token = first | {"expires_at": 1}
            assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200
            second = client.token
            assert second["refresh_token"] != first["refresh_token"]
            assert second["scope"] == "schemas:read query"

            revoked = client.revoke_token(metadata["revocation_endpoint"], second["refresh_token"])
            assert revoked.status_code == 200
            with pytest.raises(OAuthError, match="invalid_grant"):
                client.refresh_token()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlibs_client_gets_a_token_of_its_own(
    method: str, auth_server: AuthServer, mcp_server: McpServer, metadata: dict[str, str]
) -> None:
    program = auth_server.automation
    with OAuth2Client(program.id, program.secret, token_endpoint_auth_method=method, scope="query") as client:
        given = client.fetch_token(
            metadata["token_endpoint"], grant_type="client_credentials", resource=mcp_server.resource
        )
        assert given["scope"] == "query"
        assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200
