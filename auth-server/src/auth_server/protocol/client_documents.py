"""Client ID Metadata Documents: what a client is by its document.

draft-ietf-oauth-client-id-metadata-document-02, in the profile that MCP makes of it (Authorization, revision
2026-07-28, Client ID Metadata Documents).
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auth_server.domain.client import AuthenticationMethod, Client, GrantType, Registration
from auth_server.domain.client_name import safe_name
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.protocol import client_keys, client_requirements, document_url, public_keys, redirect_uri, registration
from auth_server.protocol.client_keys import ClientKeys
from auth_server.protocol.client_requirements import Requirements
from shared_kernel import strict_json

MAX_BYTES = 5 * 1024
"""§6.6: "limit the response size [...] to 5 kilobytes"."""
LEAST_AGE, MOST_AGE = 300.0, 86400.0
"""Seconds for which a document is kept, whatever its server says of it; §4.4 lets us choose."""
_SERVED = (AuthenticationMethod.NONE, AuthenticationMethod.PRIVATE_KEY_JWT)
_SHARED_SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was served: its bytes, and for how many seconds its server lets it be kept (RFC 9111 §4.2).

    `max_age` is None if the server says nothing about that, and 0 if the document must not be kept.
    """

    content: bytes
    max_age: int | None


class Defect(StrEnum):
    """What is wrong with a document, in words that its publisher understands."""

    NOT_JSON = "It is not a JSON object."
    OTHER_CLIENT_ID = "Its client_id is not the URL it was fetched from, character by character."
    NO_NAME = "It has no client_name."
    NO_REDIRECT_URI = "It has no redirect_uris that this server may redirect to."
    SECRET = "It holds a secret, or a key that is not public."
    AUTHENTICATION = "Its token_endpoint_auth_method is neither none nor private_key_jwt."
    KEYS = "It has no jwks or jwks_uri with a key for ES256, RS256, PS256 or EdDSA, as private_key_jwt needs."
    GRANT_TYPES = "Its grant_types or response_types leave out the authorization code."
    WRONG_TYPE = "One of its members has the wrong type."


def is_document_id(client_id: str) -> bool:
    """Whether a client id means a document; no id that this server gives begins so."""
    return client_id.startswith(document_url.PREFIX)


def client(client_id: str, document: Document, redirect_schemes: Container[str], now: float) -> Client:
    """The client that publishes the document. `redirect_schemes` as in Deployment.

    Raises Refused (CLIENT_DOCUMENT_INVALID, with the Defect among its facts).
    """
    try:
        metadata = strict_json.parse_object(document.content)
    except strict_json.Unreadable as error:
        raise _invalid(client_id, Defect.NOT_JSON) from error
    # §4.1: "The client metadata document MUST contain a client_id property [...] [matching] the URL of the document
    # using simple string comparison"
    if metadata.get("client_id") != client_id:
        raise _invalid(client_id, Defect.OTHER_CLIENT_ID)
    given = {name: value for name, value in metadata.items() if value is not None}
    _check_secrets(client_id, given)
    methods = _methods(client_id, given)
    keys = _keys(client_id, given, methods)
    name = given.get("client_name")
    if not isinstance(name, str) or not safe_name(name):
        raise _invalid(client_id, Defect.NO_NAME)
    demands = _demands(client_id, given)
    return Client(
        client_id=client_id,
        name=safe_name(name),
        registration=Registration.DOCUMENT,
        redirect_uris=_redirect_uris(client_id, given.get("redirect_uris"), redirect_schemes),
        grant_types=_grant_types(client_id, given),
        scopes=registration.ALLOWED_SCOPES,
        tenant=None,
        created_at=now,
        confidential=AuthenticationMethod.NONE not in methods,
        document_expires_at=now + _lifetime(document.max_age),
        jwks=keys.jwks,
        jwks_uri=keys.jwks_uri,
        dpop_bound=demands.dpop_bound,
        par_required=demands.par_required,
    )


def _lifetime(max_age: int | None) -> float:
    if max_age == 0:
        return 0.0
    return min(max(LEAST_AGE, max_age or 0), MOST_AGE)


def _check_secrets(client_id: str, given: Mapping[str, Any]) -> None:
    # §4.1: 'The "client_secret" and "client_secret_expires_at" properties MUST NOT be used'
    if "client_secret" in given or "client_secret_expires_at" in given:
        raise _invalid(client_id, Defect.SECRET)
    jwks = given.get("jwks", {})
    keys = jwks.get("keys", []) if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise _invalid(client_id, Defect.WRONG_TYPE)
    if any(map(public_keys.is_secret, keys)):
        raise _invalid(client_id, Defect.SECRET)


def _methods(client_id: str, given: Mapping[str, Any]) -> frozenset[AuthenticationMethod]:
    """How the client may prove who it is: what it publishes, as far as it is served here; at least one method.

    The plural member is what clients publish that can do several; without either, a client authenticates by nothing.
    """
    method = given.get("token_endpoint_auth_method")
    methods = given.get("token_endpoint_auth_methods_supported", [] if method else [AuthenticationMethod.NONE])
    if not (method is None or isinstance(method, str)) or not isinstance(methods, list):
        raise _invalid(client_id, Defect.WRONG_TYPE)
    served = {served for served in _SERVED if served == method or served in methods}
    # §4.1: "MUST NOT be [...] any [...] method based around a shared symmetric secret"
    if method in _SHARED_SECRET_METHODS or not served:
        raise _invalid(client_id, Defect.AUTHENTICATION)
    return frozenset(served)


def _keys(client_id: str, given: Mapping[str, Any], methods: frozenset[AuthenticationMethod]) -> ClientKeys:
    """The keys of a client that may prove who it is by one. Without keys of use it must be able to do otherwise."""
    if AuthenticationMethod.PRIVATE_KEY_JWT not in methods:
        return ClientKeys()
    try:
        keys = client_keys.read(given)
    except public_keys.UnusableKeySet:
        keys = ClientKeys()
    if keys == ClientKeys() and AuthenticationMethod.NONE not in methods:
        raise _invalid(client_id, Defect.KEYS)
    return keys


def _demands(client_id: str, given: Mapping[str, Any]) -> Requirements:
    try:
        return client_requirements.read(given)
    except client_requirements.WrongType as error:
        raise _invalid(client_id, Defect.WRONG_TYPE) from error


def _redirect_uris(client_id: str, value: object, schemes: Container[str]) -> tuple[str, ...]:
    """Those of the URIs that we may redirect to: a document is written for every server, not for this one."""
    if not isinstance(value, list) or not all(isinstance(uri, str) for uri in value):
        raise _invalid(client_id, Defect.NO_REDIRECT_URI)
    kept: dict[str, None] = {}
    for uri in value[: registration.MAX_REDIRECT_URIS]:
        try:
            redirect_uri.check_self_registered(uri, schemes)
        except redirect_uri.UnacceptableRedirectUri:
            continue
        kept[redirect_uri.canonical(uri)] = None
    if not kept:
        raise _invalid(client_id, Defect.NO_REDIRECT_URI)
    return tuple(kept)


def _grant_types(client_id: str, given: Mapping[str, Any]) -> frozenset[GrantType]:
    asked = given.get("grant_types", ["authorization_code"])
    responses = given.get("response_types", ["code"])
    if not isinstance(asked, list) or not isinstance(responses, list):
        raise _invalid(client_id, Defect.WRONG_TYPE)
    kept = frozenset(grant for grant in registration.ALLOWED_GRANT_TYPES if grant in asked)
    if GrantType.AUTHORIZATION_CODE not in kept or "code" not in responses:
        raise _invalid(client_id, Defect.GRANT_TYPES)
    return kept


def _invalid(client_id: str, defect: Defect) -> Refused:
    return Refused(Reason.CLIENT_DOCUMENT_INVALID, Facts(client_id=client_id, defect=defect))
