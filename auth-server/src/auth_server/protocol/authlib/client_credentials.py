"""The client credentials grant (RFC 6749 §4.4)."""

from authlib.oauth2.rfc6749 import InvalidScopeError, grants

from auth_server.domain.client import AuthenticationMethod, Client, Registration
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol.authlib import server
from auth_server.protocol.authlib.server import Server, TokenDecision, TokenRequest
from shared_kernel import scope


def decide(request: TokenRequest) -> TokenDecision:
    """Judges a request for a token of the client's own.

    Raises Refused: CLIENT_NOT_AUTHENTICATED, GRANT_TYPE_NOT_ALLOWED, CLIENT_CREDENTIALS_NOT_GRANTED, SCOPE_NOT_ALLOWED.
    """
    client = request.client
    if client.confidential and client.registration is not Registration.OPERATOR:
        raise Refused(Reason.CLIENT_CREDENTIALS_NOT_GRANTED)
    default = _machine_scopes(request.client)
    return Server(server.token_client(request), _Grant, default_scopes=default).decide(request)


class _Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = tuple(set(AuthenticationMethod) - {AuthenticationMethod.NONE})

    def validate_requested_scope(self) -> None:
        # The operator granted these scopes one by one; asking for another is a mistake worth hearing about.
        if not scope.parse(self.request.payload.scope or "") <= _machine_scopes(self.request.client.client):
            raise InvalidScopeError


def _machine_scopes(client: Client) -> frozenset[str]:
    """What client_credentials may have: there is no user to be offline from, or to know."""
    return client.scopes & {*scope.RESOURCE_SCOPES}
