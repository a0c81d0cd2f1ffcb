"""When a person need not be asked about a client again.

RFC 9700 §4.11.2: "The authorization server SHOULD only automatically redirect the user agent if it trusts the
redirection URI." That is an https address of a client for whose name somebody vouches: the operator, or the host of its
document, if the address is on that host. A program on loopback, an app behind a private-use scheme, and a client that
registered itself could be anybody each time.
"""

from urllib.parse import urlsplit

from auth_server.domain.authorization import AuthorizationRequest
from auth_server.domain.client import Client
from auth_server.domain.consent import CONSENT_LIFETIME, ConsentKey, RememberedConsent, document_digest
from auth_server.protocol import redirect_uri


def key(request: AuthorizationRequest, client: Client, user_id: str, workspace: str) -> ConsentKey | None:
    """What a consent to this request is about; None if the client must be asked about every time."""
    if not is_remembered(request, client):
        return None
    origin = f"https://{urlsplit(request.redirect_uri).netloc.lower()}"
    return ConsentKey(user_id, client.client_id, origin, request.resource, workspace)


def is_remembered(request: AuthorizationRequest, client: Client) -> bool:
    """Whether consent to a request of that client is remembered. A device may be anybody's, like a loopback address."""
    if request.device_id is not None or redirect_uri.kind(request.redirect_uri) is not redirect_uri.Kind.WEB:
        return False
    return client.is_verified or client.host == urlsplit(request.redirect_uri).netloc.lower()


def given(request: AuthorizationRequest, client: Client, about: ConsentKey, now: float) -> RememberedConsent:
    """The consent to that request, given now."""
    return RememberedConsent(about, request.scopes, document_digest(client), now, now + CONSENT_LIFETIME)
