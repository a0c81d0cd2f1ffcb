"""Which of the scopes that a client asks a person for it may have."""

from auth_server.domain.client import Client
from auth_server.domain.failures import Reason, Refused
from shared_kernel import scope


def narrowed(requested: str | None, client: Client) -> frozenset[str]:
    """The scopes that are left of those requested, which are well-formed; those of resources if none were."""
    asked = scope.parse(requested) if requested else frozenset(scope.RESOURCE_SCOPES)
    # Clients ask for everything in scopes_supported, so narrowing beats refusing while something is left.
    return asked & client.allowed_scopes


def allowed(requested: str | None, client: Client) -> frozenset[str]:
    """As narrowed, of any text. Raises Refused (SCOPE_NOT_ALLOWED) if it is malformed, or nothing is left."""
    try:
        left = narrowed(requested, client)
    except scope.MalformedScope as error:
        raise Refused(Reason.SCOPE_NOT_ALLOWED) from error
    if not left:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return left
