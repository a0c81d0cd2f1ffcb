"""What a person's client holds after sign-in, obtained over plain HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support import people
from tests.support.services import AuthServer, Client

REDIRECT_URI = "http://127.0.0.1:33418/callback"
SCOPE = "schemas:read query offline_access"


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, and what redeems it."""

    issuer: str
    client: Client
    code: str
    verifier: str

    def redeem(self, token_endpoint: str = "", http: httpx2.Client | None = None) -> httpx2.Response:
        """The token endpoint's answer; any auth-server on the same store can be asked, over an open connection too."""
        form = {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.verifier,
            "client_id": self.client.id,
        }
        post = http.post if http else httpx2.post
        return post(token_endpoint or f"{self.issuer}/token", data=form, timeout=30)


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens of one person's consent."""

    issuer: str
    client: Client
    tokens: dict[str, Any]

    @property
    def access_token(self) -> str:
        """The newest access token."""
        return str(self.tokens["access_token"])

    @property
    def refresh_token(self) -> str:
        """The newest refresh token."""
        return str(self.tokens["refresh_token"])

    def refresh(self, token_endpoint: str = "", refresh_token: str = "") -> httpx2.Response:
        """The token endpoint's answer to the refresh token."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token or self.refresh_token,
            "client_id": self.client.id,
        }
        return httpx2.post(token_endpoint or f"{self.issuer}/token", data=form, timeout=30)


def public_client(auth_server: AuthServer, name: str = "Installed app") -> Client:
    """A public client that can refresh, registered as such clients register themselves."""
    document = {
        "client_name": name,
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    registered = httpx2.post(f"{auth_server.issuer}/register", json=document)
    assert registered.status_code == 201, registered.text
    return Client(registered.json()["client_id"])


def new_code(auth_server: AuthServer, client: Client | None = None, scope: str = SCOPE) -> Code:
    """A person signs in and allows; the code has not been redeemed."""
    client = client or public_client(auth_server)
    pkce = people.Pkce()
    url = people.authorize_url(
        auth_server.issuer, client.id, REDIRECT_URI, pkce, resource=auth_server.resource, scope=scope
    )
    return Code(auth_server.issuer, client, people.allow(url)["code"], pkce.verifier)


def new_grant(auth_server: AuthServer, client: Client | None = None, scope: str = SCOPE) -> Grant:
    """A person signs in and allows; the client redeems its code."""
    code = new_code(auth_server, client, scope)
    answer = code.redeem()
    assert answer.status_code == 200, answer.text
    return Grant(auth_server.issuer, code.client, answer.json())
