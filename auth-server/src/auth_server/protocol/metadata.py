"""What the server says about itself: RFC 8414 metadata, its openid-configuration, and the JWK set."""

from collections.abc import Iterable, Mapping
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from auth_server.domain.client import AuthenticationMethod, GrantType
from auth_server.domain.deployment import Deployment, DocumentPolicy, RegistrationPolicy
from auth_server.protocol import id_token, identity_assertion, public_keys
from shared_kernel import dpop, scope, signer

_PROVEN = [method for method in AuthenticationMethod if method is not AuthenticationMethod.NONE]


def server_metadata(deployment: Deployment) -> dict[str, Any]:
    """The metadata document; it names only what answers."""
    issuer, assertions = deployment.issuer, bool(deployment.assertion_issuers)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": deployment.par_required,
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        **(
            {} if deployment.registration is RegistrationPolicy.OFF else {"registration_endpoint": f"{issuer}/register"}
        ),
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [each for each in sorted(GrantType) if each is not GrantType.JWT_BEARER or assertions],
        # draft-ietf-oauth-identity-assertion-authz-grant: whether assertions of an identity provider are taken.
        **({"authorization_grant_profiles_supported": [identity_assertion.PROFILE]} if assertions else {}),
        "code_challenge_methods_supported": ["S256"],
        **_authentication("token_endpoint", AuthenticationMethod),
        **_authentication("revocation_endpoint", AuthenticationMethod),
        **_authentication("introspection_endpoint", _PROVEN),
        "introspection_signing_alg_values_supported": [signer.ALGORITHM],
        "scopes_supported": [*scope.RESOURCE_SCOPES, scope.OFFLINE_ACCESS],
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        # Clients take up the offer only where `none` is among the authentication methods, too.
        "client_id_metadata_document_supported": deployment.client_documents is not DocumentPolicy.OFF,
    }


def _authentication(endpoint: str, methods: Iterable[AuthenticationMethod]) -> dict[str, Any]:
    """How clients prove who they are at an endpoint (RFC 8414 §2)."""
    return {
        f"{endpoint}_auth_methods_supported": list(methods),
        f"{endpoint}_auth_signing_alg_values_supported": list(public_keys.ALGORITHMS),
    }


def openid_configuration(deployment: Deployment, id_token_algorithm: str) -> dict[str, Any]:
    """The same with what OpenID Connect Discovery adds. ID tokens are signed with that algorithm.

    The scopes that tell who somebody is stand here alone: clients of MCP, which read the other document, ask for all
    that they find, and have no use for these.
    """
    metadata = server_metadata(deployment)
    return {
        **metadata,
        "userinfo_endpoint": f"{deployment.issuer}/userinfo",
        "scopes_supported": [*scope.IDENTITY_SCOPES, *metadata["scopes_supported"]],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [id_token_algorithm],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash",
            "email", "email_verified", "preferred_username", "updated_at",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        # Discovery §3: "If omitted, the default value is true."
        "request_uri_parameter_supported": False,
    }  # fmt: skip


def jwk_set(keys: Mapping[str, ECKey | RSAKey]) -> dict[str, Any]:
    """The JWK set of the published keys; public parts only, each with the one algorithm that it signs with."""
    return {
        "keys": [
            {**key.as_dict(private=False), "kid": key_id, "use": "sig", "alg": id_token.algorithm(key)}
            for key_id, key in keys.items()
        ]
    }
