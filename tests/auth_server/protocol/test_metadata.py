"""The metadata document, judged by Authlib's validator."""

from dataclasses import replace

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc.jwk import ECKey

from auth_server.domain.deployment import AssertionIssuer, Deployment, DocumentPolicy
from auth_server.protocol import metadata
from tests.support.rsa_keys import an_rsa_key

RESOURCE = "https://mcp.example.com/mcp"


@pytest.mark.parametrize("issuer", ["https://auth.example.com", "https://example.com/tenant"])
def test_metadata_is_valid(issuer: str) -> None:
    document = metadata.server_metadata(Deployment(issuer, (RESOURCE,), frozenset()))
    AuthorizationServerMetadata(document).validate()
    assert document["issuer"] == issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert set(document["grant_types_supported"]) == {
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    }
    endpoints = [value for name, value in document.items() if name.endswith(("_endpoint", "jwks_uri"))]
    assert all(value.startswith(f"{issuer}/") for value in endpoints)


@pytest.mark.parametrize("policy", DocumentPolicy)
def test_documents_are_offered_where_they_are_taken(policy: DocumentPolicy) -> None:
    """With `none` beside, without which some clients do not believe it."""
    deployment = Deployment("https://auth.example.com", (RESOURCE,), frozenset(), client_documents=policy)
    document = metadata.server_metadata(deployment)
    assert document["client_id_metadata_document_supported"] is (policy is not DocumentPolicy.OFF)
    assert "none" in document["token_endpoint_auth_methods_supported"]


def test_assertions_are_offered_where_a_provider_is_trusted() -> None:
    without = Deployment("https://auth.example.com", (RESOURCE,), frozenset())
    trusted = AssertionIssuer("acme", "https://login.acme.example", "https://login.acme.example/keys")
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert grant not in metadata.server_metadata(without)["grant_types_supported"]
    assert "authorization_grant_profiles_supported" not in metadata.server_metadata(without)
    document = metadata.server_metadata(replace(without, assertion_issuers=(trusted,)))
    assert grant in document["grant_types_supported"]
    assert document["authorization_grant_profiles_supported"] == ["urn:ietf:params:oauth:grant-profile:id-jag"]


def test_key_set_shows_public_parts_only() -> None:
    key = ECKey.generate_key("P-256")
    (shown,) = metadata.jwk_set({"k1": key})["keys"]
    assert shown.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (shown["kid"], shown["alg"]) == ("k1", "ES256")


@pytest.mark.parametrize("issuer", ["https://auth.example.com", "https://example.com/tenant"])
def test_the_openid_configuration_is_valid(issuer: str) -> None:
    """For Authlib's validator, and by Discovery §3's own list."""
    document = metadata.openid_configuration(Deployment(issuer, (RESOURCE,), frozenset()), "RS256")
    OpenIDProviderMetadata(document).validate()
    required = {
        "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
        "subject_types_supported", "id_token_signing_alg_values_supported",
    }  # fmt: skip
    assert document.keys() >= required | {"userinfo_endpoint", "scopes_supported", "claims_supported"}
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert "openid" in document["scopes_supported"]
    assert document["request_uri_parameter_supported"] is False
    assert "code" in document["response_types_supported"]


def test_clients_of_mcp_find_no_scope_that_tells_who_somebody_is() -> None:
    """They ask for every scope in this document."""
    document = metadata.server_metadata(Deployment("https://auth.example.com", (RESOURCE,), frozenset()))
    assert document["scopes_supported"] == ["schemas:read", "query", "offline_access"]


def test_key_set_names_each_key_s_own_algorithm() -> None:
    shown = metadata.jwk_set({"ec": ECKey.generate_key("P-256"), "rsa": an_rsa_key()})["keys"]
    assert [(entry["kid"], entry["alg"]) for entry in shown] == [("ec", "ES256"), ("rsa", "RS256")]
    assert shown[1].keys() == {"kty", "n", "e", "kid", "use", "alg"}
