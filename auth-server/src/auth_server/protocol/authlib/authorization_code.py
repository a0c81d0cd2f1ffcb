"""The authorization code grant (RFC 6749 §4.1) with PKCE (RFC 7636): its request, and the code's redemption.

Authlib's PKCE extension lets a request leave the challenge out or use `plain`; _S256Only closes both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, OAuth2Error, grants
from authlib.oauth2.rfc7636 import CodeChallenge

from auth_server.domain.client import AuthenticationMethod, Client
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.protocol import pkce, redirect_uri
from auth_server.protocol.authlib import server
from auth_server.protocol.authlib.server import RegisteredClient, Request, Server, TokenDecision, TokenRequest
from shared_kernel import scope


@dataclass(frozen=True, slots=True)
class StoredCode:
    """The code that a request names, with its grant; used or not."""

    redirect_uri: str
    code_challenge: str
    grant: Grant


def allowed_scopes(client: Client, parameters: Mapping[str, str]) -> frozenset[str]:
    """Judges an authorization request whose redirect URI is proven; gives the scopes left after narrowing.

    Raises Refused: REDIRECT_URI_NOT_ALLOWED, UNSUPPORTED_RESPONSE_TYPE, GRANT_TYPE_NOT_ALLOWED, PKCE_REQUIRED,
    SCOPE_NOT_ALLOWED.
    """
    response_type = parameters.get("response_type", "")
    if not response_type.replace("_", "").replace(" ", "").isalnum() or not response_type.isascii():
        raise Refused(Reason.UNSUPPORTED_RESPONSE_TYPE)
    if not redirect_uri.is_registered(client.redirect_uris, parameters.get("redirect_uri", "")):
        raise Refused(Reason.REDIRECT_URI_NOT_ALLOWED)
    server.check_scope(parameters.get("scope"))
    request = Request("GET", parameters)
    try:
        Server(RegisteredClient(client), _Grant, [_S256Only(required=True)]).get_consent_grant(request)
    except OAuth2Error as error:
        raise Refused(server.reason(error)) from error
    return scope.parse(request.scope)


def decide(request: TokenRequest, code: StoredCode | None) -> TokenDecision:
    """Judges a redemption; `code` is the code it names, if there is one.

    Raises Refused: CLIENT_NOT_AUTHENTICATED, GRANT_TYPE_NOT_ALLOWED, MISSING_PARAMETER, SCOPE_NOT_ALLOWED,
    CODE_NOT_VALID, CODE_OF_ANOTHER_CLIENT, MALFORMED_VERIFIER, WRONG_VERIFIER.
    """
    client = server.token_client(request, refreshable=code.grant.refreshable if code else None)
    grant = Server(client, _Grant, [_S256Only(required=True)], loaded=code, invalid_grant=Reason.CODE_NOT_VALID)
    return grant.decide(request)


class _Code:
    """A code as Authlib asks about it."""

    code_challenge_method = pkce.METHOD

    def __init__(self, code: StoredCode) -> None:
        self.code_challenge, self._code = code.code_challenge, code

    def get_redirect_uri(self) -> str:
        return self._code.redirect_uri

    def get_scope(self) -> str:
        return scope.join(self._code.grant.scopes)


class _S256Only(CodeChallenge):  # type: ignore[misc]  # Authlib is untyped
    """PKCE that cannot be left out or weakened."""

    DEFAULT_CODE_CHALLENGE_METHOD = pkce.METHOD
    SUPPORTED_CODE_CHALLENGE_METHOD = (pkce.METHOD,)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        values = grant.request.payload.data
        if not pkce.is_challenge(values.get("code_challenge"), values.get("code_challenge_method")):
            raise Refused(Reason.PKCE_REQUIRED)
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        if not pkce.is_verifier(grant.request.payload.data.get("code_verifier")):
            raise Refused(Reason.MALFORMED_VERIFIER)
        try:
            super().validate_code_verifier(grant, result)
        except InvalidGrantError as error:
            raise Refused(Reason.WRONG_VERIFIER) from error


class _Grant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = tuple(AuthenticationMethod)

    def query_authorization_code(self, _code: str, client: RegisteredClient) -> _Code | None:
        code = self.server.loaded
        if code is not None and code.grant.client_id != client.get_client_id():
            raise Refused(Reason.CODE_OF_ANOTHER_CLIENT)
        return _Code(code) if code is not None else None

    def authenticate_user(self, _code: _Code) -> str:
        return str(self.server.loaded.grant.user_id)

    def delete_authorization_code(self, _code: _Code) -> None:
        """The store's redeem does it, atomically."""
