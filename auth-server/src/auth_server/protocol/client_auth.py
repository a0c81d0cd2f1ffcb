"""How a client proves who it is where it calls by itself (RFC 6749 §2.3): Basic, post, an assertion, or public.

Authlib's own reading of Basic is lenient about base64 and crashes on what is not UTF-8, so it only ever sees
credentials that were read here.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_plus

from auth_server.domain.client import AuthenticationMethod, Client
from auth_server.domain.credentials import digest, same_digest
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import client_assertion
from auth_server.protocol.client_assertion import Assertion, Defect
from auth_server.protocol.parameters import Parameters

_NO_SECRET = digest("")


@dataclass(frozen=True, slots=True)
class PresentedCredentials:
    """Who the request says it comes from, and how it wants to prove it; nothing is verified yet."""

    method: AuthenticationMethod
    unverified_client_id: str
    secret: str | None = None
    assertion: Assertion | None = None


def presented(authorization: str | None, parameters: Parameters) -> PresentedCredentials:
    """The one set of credentials in a request.

    Raises Refused: SEVERAL_AUTHENTICATIONS, or CLIENT_NOT_AUTHENTICATED if there is none that we read.
    """
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    assertion, assertion_type = parameters.get("client_assertion"), parameters.get("client_assertion_type")
    asserts = assertion is not None or assertion_type is not None
    # RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
    if (authorization is not None) + (secret is not None) + asserts > 1:
        raise Refused(Reason.SEVERAL_AUTHENTICATIONS)
    if asserts:
        return _asserted(assertion, assertion_type, client_id)
    if authorization is not None:
        basic_id, basic_secret = _basic(authorization)
        # Two ids would let one part of the server judge one client and another part the other.
        if client_id is not None and client_id != basic_id:
            raise Refused(Reason.SEVERAL_AUTHENTICATIONS)
        return PresentedCredentials(AuthenticationMethod.CLIENT_SECRET_BASIC, basic_id, basic_secret)
    if client_id is None:
        raise Refused(Reason.CLIENT_NOT_AUTHENTICATED)
    if secret is None:
        return PresentedCredentials(AuthenticationMethod.NONE, client_id)
    return PresentedCredentials(AuthenticationMethod.CLIENT_SECRET_POST, client_id, secret)


def _asserted(assertion: str | None, assertion_type: str | None, client_id: str | None) -> PresentedCredentials:
    if assertion is None or assertion_type != client_assertion.ASSERTION_TYPE:
        raise client_assertion.refused(Defect.WRONG_KIND)
    read = client_assertion.read(assertion)
    # RFC 7521 §4.2: the client_id "MUST identify the same client as is identified by the client assertion"
    if client_id is not None and client_id != read.client_id:
        raise client_assertion.refused(Defect.OTHER_CLIENT)
    return PresentedCredentials(AuthenticationMethod.PRIVATE_KEY_JWT, read.client_id, assertion=read)


def secret_matches(client: Client | None, secret: str, now: float) -> bool:
    """Whether it is a live secret of the client; no client takes as long as a wrong secret."""
    given = digest(secret)
    live = [known.digest for known in client.secrets if known.is_live(now)] if client else []
    found = [same_digest(given, known) for known in (*live, _NO_SECRET)]
    return any(found[:-1])


def authenticate(client: Client | None, credentials: PresentedCredentials, now: float) -> Client:
    """The client, if it is public or the secret is its own. Raises Refused (CLIENT_NOT_AUTHENTICATED)."""
    authentic = credentials.secret is None or secret_matches(client, credentials.secret, now)
    if client is None or credentials.method not in client.methods or not authentic:
        raise Refused(Reason.CLIENT_NOT_AUTHENTICATED)
    return client


def _basic(authorization: str) -> tuple[str, str]:
    """Client id and secret of an `Authorization: Basic` header (RFC 7617, with RFC 6749 §2.3.1's form encoding)."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise Refused(Reason.CLIENT_NOT_AUTHENTICATED)
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        user, colon, password = decoded.partition(":")
        client_id, secret = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise Refused(Reason.CLIENT_NOT_AUTHENTICATED) from error
    if not colon or not client_id or not secret:
        raise Refused(Reason.CLIENT_NOT_AUTHENTICATED)
    return client_id, secret
