"""Authlib's validators accept what the server says of itself and of its clients, and every kind of token."""

import time
from typing import Any

import httpx2
import pytest
from authlib.oauth2.rfc6749.requests import OAuth2Request
from authlib.oauth2.rfc6750.errors import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from authlib.oauth2.rfc9101 import AuthorizationServerMetadata as RequestObjectMetadata
from authlib.oauth2.rfc9207 import AuthorizationServerMetadata as IssuerMetadata
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.registration import ClientMetadataClaims as OpenIDClientMetadataClaims
from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization

from tests.support.client_keys import ClientKey
from tests.support.grants import REDIRECT_URI, Grant, new_grant
from tests.support.services import AuthServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def documents(auth_server: AuthServer) -> dict[str, dict[str, Any]]:
    """Both metadata documents."""
    names = ("oauth-authorization-server", "openid-configuration")
    return {name: httpx2.get(f"{auth_server.issuer}/.well-known/{name}").json() for name in names}


@pytest.fixture(scope="module")
def keys(auth_server: AuthServer) -> KeySet:
    """What the server publishes."""
    published: KeySetSerialization = httpx2.get(f"{auth_server.issuer}/.well-known/jwks.json").json()
    return KeySet.import_key_set(published)


@pytest.fixture(scope="module")
def grant(auth_server: AuthServer) -> Grant:
    """A person has allowed an app to know who they are, and to read."""
    return new_grant(auth_server, scope="openid email schemas:read offline_access")


def test_the_metadata_are_valid(documents: dict[str, dict[str, Any]]) -> None:
    more = [IssuerMetadata, RequestObjectMetadata]
    AuthorizationServerMetadata(documents["oauth-authorization-server"]).validate(metadata_classes=more)
    OpenIDProviderMetadata(documents["openid-configuration"]).validate(metadata_classes=more)


@pytest.mark.parametrize("method", ["none", "private_key_jwt", "client_secret_basic"])
def test_every_registration_is_valid_and_within_the_metadata(
    method: str, auth_server: AuthServer, documents: dict[str, dict[str, Any]]
) -> None:
    asked = {
        "client_name": "Judged",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": method,
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid query",
        **({"jwks": {"keys": [ClientKey().jwk()]}} if method == "private_key_jwt" else {}),
    }
    token = auth_server.initial_access_token() if method == "client_secret_basic" else None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    registered = httpx2.post(f"{auth_server.issuer}/register", json=asked, headers=headers).json()
    assert registered["token_endpoint_auth_method"] == method
    metadata = documents["openid-configuration"]
    options = {
        **ClientMetadataClaims.get_claims_options(metadata),
        **OpenIDClientMetadataClaims.get_claims_options(metadata),
    }
    ClientMetadataClaims(registered, {}, dict(options), metadata).validate()
    OpenIDClientMetadataClaims(registered, {}, dict(options), metadata).validate()


class Validator(JWTBearerTokenValidator):  # type: ignore[misc]  # Authlib has no types
    """A resource server's own, with keys at hand."""

    def __init__(self, keys: KeySet, **names: str) -> None:
        super().__init__(**names)
        self._keys = keys

    def get_jwks(self) -> KeySet:
        """See JWTBearerTokenValidator."""
        return self._keys


def test_access_tokens_are_what_rfc_9068_demands(auth_server: AuthServer, keys: KeySet, grant: Grant) -> None:
    request = OAuth2Request("GET", auth_server.resource)
    good = Validator(keys, issuer=auth_server.issuer, resource_server=auth_server.resource)
    for text in (grant.access_token, auth_server.token("schemas:read")):
        token = good.authenticate_token(text)
        assert token.header["typ"] == "at+jwt"
        good.validate_token(token, ["schemas:read"], request)
        with pytest.raises(InsufficientScopeError):
            good.validate_token(token, ["query"], request)
    for names in (
        {"issuer": "https://evil.example", "resource_server": auth_server.resource},
        {"issuer": auth_server.issuer, "resource_server": "https://evil.example/mcp"},
    ):
        other = Validator(keys, **names)
        with pytest.raises(InvalidTokenError):
            other.validate_token(other.authenticate_token(grant.access_token), [], request)


def test_id_tokens_are_what_openid_connect_demands(auth_server: AuthServer, keys: KeySet, grant: Grant) -> None:
    token = jwt.decode(grant.tokens["id_token"], keys, algorithms=["RS256"])
    options = {
        "iss": {"essential": True, "value": auth_server.issuer},
        "aud": {"essential": True, "value": grant.client.id},
        "auth_time": {"essential": True},
        "at_hash": {"essential": True},
    }
    known = {"client_id": grant.client.id, "access_token": grant.access_token}
    CodeIDToken(token.claims, token.header, options, known).validate(now=int(time.time()), leeway=5)
