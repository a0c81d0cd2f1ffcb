"""The metadata document, judged by Authlib's validator."""

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc.jwk import ECKey

from auth_server.protocol import metadata


@pytest.mark.parametrize("issuer", ["https://auth.example.com", "https://example.com/tenant"])
def test_metadata_is_valid(issuer: str) -> None:
    document = metadata.server_metadata(issuer)
    AuthorizationServerMetadata(document).validate()
    assert document["issuer"] == issuer
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert set(document["grant_types_supported"]) == {"authorization_code", "client_credentials", "refresh_token"}
    endpoints = [value for name, value in document.items() if name.endswith(("_endpoint", "jwks_uri"))]
    assert all(value.startswith(f"{issuer}/") for value in endpoints)


def test_key_set_shows_public_parts_only() -> None:
    key = ECKey.generate_key("P-256")
    (shown,) = metadata.jwk_set({"k1": key})["keys"]
    assert shown.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (shown["kid"], shown["alg"]) == ("k1", "ES256")
