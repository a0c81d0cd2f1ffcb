"""Registrations with a random id and a token with which the client manages them (RFC 7592).

Clients that present keys get one, and all that come with an initial access token; these may also have a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.client import AuthenticationMethod, Client, ClientSecret
from auth_server.domain.credentials import digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import client_auth, client_keys, document_url, registration
from auth_server.protocol.client_keys import ClientKeys
from auth_server.protocol.public_keys import UnusableKeySet
from auth_server.protocol.registration import Registered
from shared_kernel import scope
from shared_kernel.entropy import Entropy

_OURS = frozenset(
    {"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
)
"""RFC 7592 §2.2: an update "MUST NOT include" these."""
_WITH_SECRET = frozenset({AuthenticationMethod.CLIENT_SECRET_BASIC, AuthenticationMethod.CLIENT_SECRET_POST})


@dataclass(frozen=True, slots=True)
class NewCredentials:
    """What a new registration gets: an id, a token to manage it, and a secret if it is to have one."""

    client_id: str
    token: str
    secret: str


def new_credentials(entropy: Entropy) -> NewCredentials:
    """Fresh credentials."""
    return NewCredentials(
        credentials.new_registered_client_id(entropy),
        credentials.new_registration_token(entropy),
        credentials.new_client_secret(entropy),
    )


def presents_keys(metadata: object) -> bool:
    """Whether a registration is of a client that proves who it is by a key."""
    if not isinstance(metadata, Mapping):
        return False
    has_keys = bool(metadata.get("jwks") or metadata.get("jwks_uri"))
    return has_keys and metadata.get("token_endpoint_auth_method") == AuthenticationMethod.PRIVATE_KEY_JWT


def register(metadata: object, deployment: Deployment, new: NewCredentials, now: float) -> Registered:
    """Judges the metadata of a client that presents keys, or came with an initial access token.

    Raises Refused: INVALID_REDIRECT_URI, INVALID_CLIENT_METADATA, CLIENT_CREDENTIALS_NOT_REGISTERED,
    SOFTWARE_STATEMENT_NOT_VALID, SOFTWARE_STATEMENT_NOT_APPROVED.
    """
    # RFC 7591 §2: 'If unspecified or omitted, the default is "client_secret_basic"'.
    judged = _judged(metadata, deployment, AuthenticationMethod.CLIENT_SECRET_BASIC, now)
    has_secret = judged.client.authentication_method in _WITH_SECRET
    client = replace(
        judged.client,
        client_id=new.client_id,
        registration_token=digest(new.token),
        secrets=(ClientSecret(digest(new.secret), now),) if has_secret else (),
    )
    told = {**answer(client, deployment, new.token), **_as_sent(judged)}
    if has_secret:
        # RFC 7591 §3.2.1: "REQUIRED if "client_secret" is issued. [...] or 0 if it will not expire."
        told |= {"client_secret": new.secret, "client_secret_expires_at": 0}
    return Registered(client, told)


def update(metadata: Mapping[str, Any], known: Client, deployment: Deployment, token: str, now: float) -> Registered:
    """Judges what shall replace a registration; the new `token` goes with it, a secret stays.

    Raises Refused as register() does, and AUTHENTICATION_METHOD_FIXED.
    """
    # RFC 7592 §2.2: "The client MUST include its "client_id" field in the request"
    if metadata.get("client_id") != known.client_id or _OURS & metadata.keys():
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    _check_secret(metadata, known, now)
    had = known.authentication_method or AuthenticationMethod.NONE
    judged = _judged(metadata, deployment, had, now)
    method = judged.client.authentication_method
    # Secrets are issued with registrations only, and whoever has one keeps it.
    if method is not had and not {method, had} <= _WITH_SECRET:
        raise Refused(Reason.AUTHENTICATION_METHOD_FIXED)
    client = replace(
        judged.client,
        client_id=known.client_id,
        created_at=known.created_at,
        secrets=known.secrets,
        registration_token=digest(token),
    )
    return Registered(client, {**answer(client, deployment, token), **_as_sent(judged)})


def answer(client: Client, deployment: Deployment, token: str) -> dict[str, Any]:
    """What the client reads of its registration (RFC 7592 §3); its secret, which it alone has, is no part of that."""
    told = {
        **registration.answer(client, client.redirect_uris),
        # Some clients ask for whatever scopes they read here: those that tell who somebody is are not suggested.
        "scope": scope.join({*scope.RESOURCE_SCOPES, scope.OFFLINE_ACCESS}),
        "registration_access_token": token,
        "registration_client_uri": f"{deployment.issuer}/register/{client.client_id}",
    }
    if client.jwks is not None:
        told["jwks"] = client_keys.published(client.jwks)
    if client.jwks_uri is not None:
        told["jwks_uri"] = client.jwks_uri
    return told


def _judged(metadata: object, deployment: Deployment, default: AuthenticationMethod, now: float) -> Registered:
    """The registration by itself, with the method that it names, and keys where it has them."""
    judged = registration.register(metadata, deployment.redirect_schemes, now)
    assert isinstance(metadata, Mapping)  # else that was refused
    named = metadata.get("token_endpoint_auth_method") or default
    if named not in [*AuthenticationMethod]:
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    method = AuthenticationMethod(named)
    keys = _keys(metadata, deployment) if method is AuthenticationMethod.PRIVATE_KEY_JWT else ClientKeys(None, None)
    client = replace(
        judged.client,
        confidential=method is not AuthenticationMethod.NONE,
        jwks=keys.jwks,
        jwks_uri=keys.jwks_uri,
        authentication_method=method,
    )
    return Registered(client, judged.answer)


def _as_sent(judged: Registered) -> dict[str, Any]:
    return {name: judged.answer[name] for name in ("redirect_uris", "scope")}


def _check_secret(metadata: Mapping[str, Any], known: Client, now: float) -> None:
    secret = metadata.get("client_secret")
    if secret is None or secret == "":
        return
    # RFC 7592 §2.2: "the value of this field MUST match the currently issued client secret for that client"
    if not isinstance(secret, str) or not client_auth.secret_matches(known, secret, now):
        raise Refused(Reason.INVALID_CLIENT_METADATA)


def _keys(metadata: Mapping[str, Any], deployment: Deployment) -> ClientKeys:
    if not presents_keys(metadata):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    try:
        keys = client_keys.read(metadata)
        if keys.jwks_uri is not None:
            document_url.check_policy(document_url.foreign_origin(keys.jwks_uri, deployment.issuer), deployment)
    except (UnusableKeySet, Refused) as error:
        raise Refused(Reason.INVALID_CLIENT_METADATA) from error
    return keys
