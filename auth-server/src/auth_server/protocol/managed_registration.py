"""Registrations of clients that present keys: a random id, and a token with which the client manages it (RFC 7592)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auth_server.domain.client import AuthenticationMethod, Client
from auth_server.domain.credentials import digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import client_keys, document_url, registration
from auth_server.protocol.client_keys import ClientKeys
from auth_server.protocol.public_keys import UnusableKeySet
from auth_server.protocol.registration import Registered
from shared_kernel import scope

_OURS = frozenset(
    {"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
)
"""RFC 7592 §2.2: an update "MUST NOT include" these."""


def presents_keys(metadata: object) -> bool:
    """Whether a registration is of a client that proves who it is by a key."""
    if not isinstance(metadata, Mapping):
        return False
    has_keys = bool(metadata.get("jwks") or metadata.get("jwks_uri"))
    return has_keys and metadata.get("token_endpoint_auth_method") == AuthenticationMethod.PRIVATE_KEY_JWT


def register(metadata: object, deployment: Deployment, *, client_id: str, token: str, now: float) -> Registered:
    """Judges the metadata of a client that presents keys; `client_id` and `token` are new.

    Raises Refused: INVALID_REDIRECT_URI, INVALID_CLIENT_METADATA, SOFTWARE_STATEMENT_NOT_APPROVED.
    """
    registered = registration.register(metadata, deployment.redirect_schemes, now)
    if not isinstance(metadata, Mapping) or not presents_keys(metadata):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    keys = _keys(metadata, deployment)
    client = replace(
        registered.client,
        client_id=client_id,
        confidential=True,
        jwks=keys.jwks,
        jwks_uri=keys.jwks_uri,
        authentication_method=AuthenticationMethod.PRIVATE_KEY_JWT,
        registration_token=digest(token),
    )
    sent = {"redirect_uris": registered.answer["redirect_uris"], "scope": registered.answer["scope"]}
    return Registered(client, {**answer(client, deployment, token), **sent})


def update(metadata: Mapping[str, Any], known: Client, deployment: Deployment, token: str, now: float) -> Registered:
    """Judges what shall replace a registration; the new `token` goes with it. Raises Refused as register() does."""
    # RFC 7592 §2.2: "The client MUST include its "client_id" field in the request"
    if metadata.get("client_id") != known.client_id or _OURS & metadata.keys():
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    registered = register(metadata, deployment, client_id=known.client_id, token=token, now=now)
    client = replace(registered.client, created_at=known.created_at)
    return Registered(client, {**registered.answer, "client_id_issued_at": int(known.created_at)})


def answer(client: Client, deployment: Deployment, token: str) -> dict[str, Any]:
    """What the client reads of its registration (RFC 7592 §3)."""
    told = {
        **registration.answer(client, client.redirect_uris),
        # Some clients ask for whatever scopes they read here: those that tell who somebody is are not suggested.
        "scope": scope.join({*scope.RESOURCE_SCOPES, scope.OFFLINE_ACCESS}),
        "token_endpoint_auth_method": AuthenticationMethod.PRIVATE_KEY_JWT.value,
        "registration_access_token": token,
        "registration_client_uri": f"{deployment.issuer}/register/{client.client_id}",
    }
    if client.jwks is not None:
        told["jwks"] = client_keys.published(client.jwks)
    if client.jwks_uri is not None:
        told["jwks_uri"] = client.jwks_uri
    return told


def _keys(metadata: Mapping[str, Any], deployment: Deployment) -> ClientKeys:
    try:
        keys = client_keys.read(metadata)
        if keys.jwks_uri is not None:
            document_url.check_policy(document_url.foreign_origin(keys.jwks_uri, deployment.issuer), deployment)
    except (UnusableKeySet, Refused) as error:
        raise Refused(Reason.INVALID_CLIENT_METADATA) from error
    return keys
