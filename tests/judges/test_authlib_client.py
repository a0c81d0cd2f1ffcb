"""Authlib's own client completes its flows.

auth-server builds on Authlib's server side; the client side shares no code with that.
"""

import time
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.client_keys import ClientKey
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

HEADERS = {"Accept": "application/json, text/event-stream"}
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture(scope="module")
def metadata(auth_server: AuthServer) -> dict[str, str]:
    """The server's metadata."""
    return dict(httpx2.get(f"{auth_server.issuer}/.well-known/oauth-authorization-server").json())


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
        assert client.introspect_token(metadata["introspection_endpoint"], given["access_token"]).json()["active"]
        revoked = client.revoke_token(metadata["revocation_endpoint"], given["access_token"])
        assert revoked.status_code == 200, revoked.text
        ended = client.introspect_token(metadata["introspection_endpoint"], given["access_token"])
        assert ended.json() == {"active": False}


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519"])
def test_authlibs_client_proves_who_it_is_by_a_key(
    algorithm: str, auth_server: AuthServer, mcp_server: McpServer, metadata: dict[str, str], tmp_path: Path
) -> None:
    key, file = ClientKey(algorithm), tmp_path / "jwks.json"
    file.write_bytes(key.jwks())
    agent = auth_server.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    by_key = dict.fromkeys(("token_endpoint_auth_method", "revocation_endpoint_auth_method"), "private_key_jwt")
    with OAuth2Client(agent.id, key.key, **by_key) as client:

        def prove() -> None:
            # Unless told otherwise Authlib's assertions live for an hour; one that is told so repeats its `jti`.
            claims = {"exp": int(time.time()) + 60}
            client.register_client_auth_method(
                PrivateKeyJWT(metadata["token_endpoint"], claims, {"kid": key.key_id}, alg=algorithm)
            )

        prove()
        given = client.fetch_token(
            metadata["token_endpoint"], grant_type="client_credentials", resource=mcp_server.resource
        )
        assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200
        prove()
        assert client.introspect_token(metadata["introspection_endpoint"], given["access_token"]).json()["active"]
        prove()
        revoked = client.revoke_token(metadata["revocation_endpoint"], given["access_token"])
        assert revoked.status_code == 200, revoked.text
        prove()
        ended = client.introspect_token(metadata["introspection_endpoint"], given["access_token"])
        assert ended.json() == {"active": False}


def test_authlibs_client_on_a_device(
    auth_server: AuthServer, mcp_server: McpServer, metadata: dict[str, str], browser: Browser
) -> None:
    document = {"client_name": "Kiosk", "grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []}
    client_id = httpx2.post(metadata["registration_endpoint"], json=document).json()["client_id"]
    asked = {"client_id": client_id, "scope": "query", "resource": mcp_server.resource}
    codes = httpx2.post(metadata["device_authorization_endpoint"], data=asked).json()
    with OAuth2Client(client_id, token_endpoint=metadata["token_endpoint"]) as client:

        def poll() -> None:
            client.fetch_token(grant_type=DEVICE_CODE, device_code=codes["device_code"])

        with pytest.raises(OAuthError, match="authorization_pending"):
            poll()
        browser.allow_device(codes["verification_uri_complete"])
        poll()
        assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200
        client.refresh_token()
        assert client.post(mcp_server.resource, json=TOOLS, headers=HEADERS).status_code == 200
