"""Dynamic client registration for public clients (RFC 7591).

A registration is a pure function of its metadata: the same metadata gives the same client_id, so that a client which
registers at every start leaves one row, and nothing can be changed afterwards. There is therefore no
registration_access_token, and a secret method is answered with `none`. Those that present keys, or come with an initial
access token, are in managed_registration.
"""

import base64
import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain.client import AuthenticationMethod, Client, GrantType, Registration
from auth_server.domain.client_name import UNNAMED, safe_name
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import client_requirements, redirect_uri, software_statement
from auth_server.protocol.client_requirements import Requirements
from shared_kernel import scope

MAX_REDIRECT_URIS = 20
MAX_REDIRECT_URIS_LENGTH = 2048
"""Most redirect URIs of a client, and most characters in all of them."""
MAX_LIST = 50
ALLOWED_GRANT_TYPES = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.DEVICE_CODE})
_WITHOUT_BROWSER = frozenset({GrantType.DEVICE_CODE})
"""Grants that need no redirect URI."""
ALLOWED_SCOPES = frozenset({*scope.RESOURCE_SCOPES, scope.OFFLINE_ACCESS, *scope.IDENTITY_SCOPES})
"""Every registered client may ask for every scope: the person decides, and step-up needs no new registration."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration: the client to store and the body of the 201 answer."""

    client: Client
    answer: dict[str, Any]


def register(metadata: object, redirect_schemes: Container[str], now: float) -> Registered:
    """Judges a registration request's JSON value, whatever it is. `redirect_schemes` as in Deployment.

    Raises Refused: INVALID_REDIRECT_URI, INVALID_CLIENT_METADATA, CLIENT_CREDENTIALS_NOT_REGISTERED,
    SOFTWARE_STATEMENT_NOT_VALID, SOFTWARE_STATEMENT_NOT_APPROVED.
    """
    if not isinstance(metadata, Mapping):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    # null and "" mean "not given": some clients send every field they know.
    given = {name: value for name, value in metadata.items() if value is not None and value != ""}
    _check_keys(given)
    grant_types = _grant_types(given)
    is_redirected = GrantType.AUTHORIZATION_CODE in grant_types
    uris = _redirect_uris(given.get("redirect_uris"), redirect_schemes) if is_redirected else ()
    name = safe_name(_text(given, "client_name")) or UNNAMED
    for field in ("scope", "token_endpoint_auth_method", "application_type"):
        _text(given, field)
    demands = _demands(given)
    stored = tuple(sorted({redirect_uri.canonical(uri) for uri in uris}))
    client = Client(
        client_id=_client_id(name, stored, grant_types, demands),
        name=name,
        registration=Registration.DYNAMIC,
        redirect_uris=stored,
        grant_types=grant_types,
        scopes=ALLOWED_SCOPES,
        tenant=None,
        created_at=now,
        dpop_bound=demands.dpop_bound,
        par_required=demands.par_required,
    )
    return Registered(client, {**answer(client, uris), **_openid_answer(given)})


def answer(client: Client, uris: tuple[str, ...]) -> dict[str, Any]:
    """RFC 7591 §3.2.1. The redirect URIs are those that were sent: clients go on with what they read here."""
    return {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at),
        "client_name": client.name,
        "redirect_uris": list(uris),
        "grant_types": sorted(client.grant_types),
        "response_types": ["code"] if GrantType.AUTHORIZATION_CODE in client.grant_types else [],
        "token_endpoint_auth_method": (client.authentication_method or AuthenticationMethod.NONE).value,
        "scope": scope.join(client.scopes),
        **client_requirements.demanded(client),
    }


def _openid_answer(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is told about OpenID Connect (Dynamic Client Registration §3.2) to clients that speak of it.

    Some clients ask for whatever scopes they read here, so those that tell who somebody is stand here for the asking.
    """
    asked = frozenset(_text(given, "scope").split()).intersection(scope.IDENTITY_SCOPES)
    told: dict[str, Any] = {"scope": scope.join({*scope.RESOURCE_SCOPES, scope.OFFLINE_ACCESS, *asked})}
    if "id_token_signed_response_alg" in given:  # whatever it was
        told["id_token_signed_response_alg"] = "RS256"
    return told


def _client_id(name: str, uris: tuple[str, ...], grant_types: frozenset[GrantType], demands: Requirements) -> str:
    # One that demands something is another client than one that does not, and those that never did keep their ids.
    more = [[demands.dpop_bound, demands.par_required]] if demands != Requirements() else []
    canonical = json.dumps([1, name, uris, sorted(grant_types), *more], separators=(",", ":"))
    hashed = hashlib.sha256(canonical.encode()).digest()
    return f"dcr_{base64.urlsafe_b64encode(hashed[:24]).decode()}"


def _redirect_uris(value: object, schemes: Container[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_REDIRECT_URIS:
        raise Refused(Reason.INVALID_REDIRECT_URI)
    uris: dict[str, None] = {}
    for uri in value:
        if not isinstance(uri, str):
            raise Refused(Reason.INVALID_REDIRECT_URI)
        try:
            redirect_uri.check_self_registered(uri, schemes)
        except redirect_uri.UnacceptableRedirectUri as error:
            raise Refused(Reason.INVALID_REDIRECT_URI) from error
        uris[uri] = None
    if sum(map(len, uris)) > MAX_REDIRECT_URIS_LENGTH:
        raise Refused(Reason.INVALID_REDIRECT_URI)
    return tuple(uris)


def _grant_types(given: Mapping[str, Any]) -> frozenset[GrantType]:
    """The grants that remain: unknown ones and those of confidential clients are dropped, not refused."""
    asked = _texts(given, "grant_types", default=["authorization_code"])
    kept = frozenset(grant for grant in ALLOWED_GRANT_TYPES if grant in asked)
    if kept & _WITHOUT_BROWSER and GrantType.AUTHORIZATION_CODE not in kept:
        return kept
    if not kept and GrantType.CLIENT_CREDENTIALS in asked:
        raise Refused(Reason.CLIENT_CREDENTIALS_NOT_REGISTERED)
    # RFC 7591 §2.1: grant_types and response_types "are partially orthogonal" but must agree; here only in "code".
    if GrantType.AUTHORIZATION_CODE not in kept or "code" not in _texts(given, "response_types", default=["code"]):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    return kept


def _check_keys(given: Mapping[str, Any]) -> None:
    """Refuses statements we cannot verify, and keys that nobody should send (RFC 7591 §2, §3.1.1)."""
    if "software_statement" in given:
        software_statement.refuse(given["software_statement"])
    # RFC 7591 §2: 'The "jwks_uri" and "jwks" parameters MUST NOT both be present'
    if "jwks" in given and "jwks_uri" in given:
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    keys = given["jwks"].get("keys") if isinstance(given.get("jwks"), Mapping) else None
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, Mapping) and ("d" in key or "k" in key):
            raise Refused(Reason.INVALID_CLIENT_METADATA)


def _demands(given: Mapping[str, Any]) -> Requirements:
    try:
        return client_requirements.read(given)
    except client_requirements.WrongType as error:
        raise Refused(Reason.INVALID_CLIENT_METADATA) from error


def _text(given: Mapping[str, Any], field: str) -> str:
    value = given.get(field, "")
    if not isinstance(value, str):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    return value


def _texts(given: Mapping[str, Any], field: str, default: list[str]) -> list[str]:
    value = given.get(field, default)
    if not isinstance(value, list) or len(value) > MAX_LIST or not all(isinstance(item, str) for item in value):
        raise Refused(Reason.INVALID_CLIENT_METADATA)
    return value or default
