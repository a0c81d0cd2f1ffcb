"""Client ID Metadata Documents: which URLs can be client ids, and what a client is by its document.

draft-ietf-oauth-client-id-metadata-document-02, in the profile that MCP makes of it (Authorization, revision
2026-07-28, Client ID Metadata Documents).
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from auth_server.domain.client import Client, GrantType, Registration
from auth_server.domain.client_name import safe_name
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.protocol import redirect_uri, registration
from shared_kernel import strict_json

MAX_ID_LENGTH = 1024
LEAST_AGE, MOST_AGE = 300.0, 86400.0
"""Seconds for which a document is kept, whatever its server says of it; §4.4 lets us choose."""
_PREFIX = "https://"
_ID = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The last label of a name is never a number; such a host is an address in one of its many spellings (WHATWG URL, "ends
# in a number"), and addresses are nobody's identity.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SHARED_SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})
_PRIVATE_KEY_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


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
    SECRET = "It holds a secret, or a key that is not public."  # noqa: S105 (a sentence)
    AUTHENTICATION = "Its token_endpoint_auth_method is none that this server takes from a document; publish none."
    GRANT_TYPES = "Its grant_types or response_types leave out the authorization code."
    WRONG_TYPE = "One of its members has the wrong type."


def is_document_id(client_id: str) -> bool:
    """Whether a client id means a document; no id that this server gives begins so."""
    return client_id.startswith(_PREFIX)


def check_id(client_id: str, issuer: str) -> str:
    """The origin of a URL that can be a client id, to count by. Raises Refused (CLIENT_DOCUMENT_URL).

    One spelling is accepted: lower-case host, no default port. Ids are compared character by character.
    """
    found = _ID.fullmatch(client_id) if len(client_id) <= MAX_ID_LENGTH else None
    if found is None or _PERCENT.search(client_id):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    host, port = found["host"], found["port"]
    # §3: "MUST NOT contain single-dot or double-dot path segments"
    segments = [unquote(segment) for segment in found["path"].split("/")]
    if any(segment in {".", ".."} for segment in segments) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    if port == "443" or int(port or 1) > 65535 or len(host) > 253:
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    origin = _PREFIX + (f"{host}:{port}" if port else host)
    # Whoever asks this server to ask itself waits for both.
    if urlsplit(issuer).netloc == origin.removeprefix(_PREFIX):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    return origin


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
    _check_authentication(client_id, given)
    name = given.get("client_name")
    if not isinstance(name, str) or not safe_name(name):
        raise _invalid(client_id, Defect.NO_NAME)
    return Client(
        client_id=client_id,
        name=safe_name(name),
        registration=Registration.DOCUMENT,
        redirect_uris=_redirect_uris(client_id, given.get("redirect_uris"), redirect_schemes),
        grant_types=_grant_types(client_id, given),
        scopes=registration.ALLOWED_SCOPES,
        tenant=None,
        created_at=now,
        document_expires_at=now + _lifetime(document.max_age),
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
    if any(_PRIVATE_KEY_MEMBERS & key.keys() or key.get("kty") == "oct" for key in keys):
        raise _invalid(client_id, Defect.SECRET)


def _check_authentication(client_id: str, given: Mapping[str, Any]) -> None:
    """A client that can go without authentication says so; one that cannot is not served.

    The plural member is what clients publish who can do several; without either, a client that publishes no key has
    nothing to authenticate with.
    """
    method = given.get("token_endpoint_auth_method", "none")
    methods = given.get("token_endpoint_auth_methods_supported", [])
    if not isinstance(method, str) or not isinstance(methods, list):
        raise _invalid(client_id, Defect.WRONG_TYPE)
    # §4.1: "MUST NOT be [...] any [...] method based around a shared symmetric secret"
    if method in _SHARED_SECRET_METHODS or (method != "none" and "none" not in methods):
        raise _invalid(client_id, Defect.AUTHENTICATION)


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
