"""The refresh token grant (RFC 6749 §6)."""

from authlib.oauth2.rfc6749 import grants

from auth_server.domain.client import AuthenticationMethod
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.protocol.authlib import server
from auth_server.protocol.authlib.server import RegisteredClient, Server, TokenDecision, TokenRequest
from shared_kernel import scope


def decide(request: TokenRequest, grant: Grant | None) -> TokenDecision:
    """Judges a refresh; `grant` is that of the token it names, if there is one.

    Raises Refused: CLIENT_NOT_AUTHENTICATED, GRANT_TYPE_NOT_ALLOWED, MISSING_PARAMETER, SCOPE_NOT_ALLOWED,
    REFRESH_TOKEN_NOT_VALID, REFRESH_TOKEN_STOLEN.
    """
    client = server.token_client(request, refreshable=grant.refreshable if grant else None)
    return Server(client, _Grant, loaded=grant, invalid_grant=Reason.REFRESH_TOKEN_NOT_VALID).decide(request)


class _RefreshToken:
    """A refresh token as Authlib asks about it."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant

    def check_client(self, client: RegisteredClient) -> bool:
        # Only a holder of another client's token gets here: somebody has taken it (the flow revokes the family).
        if client.get_client_id() != self._grant.client_id:
            raise Refused(Reason.REFRESH_TOKEN_STOLEN)
        return True

    def get_scope(self) -> str:
        return scope.join(self._grant.scopes)


class _Grant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = tuple(AuthenticationMethod)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, _token: str) -> _RefreshToken | None:
        grant = self.server.loaded
        return _RefreshToken(grant) if grant is not None else None

    def authenticate_user(self, _token: _RefreshToken) -> str:
        return str(self.server.loaded.user_id)

    def revoke_old_credential(self, _token: _RefreshToken) -> None:
        """The store's rotate does it, atomically."""
