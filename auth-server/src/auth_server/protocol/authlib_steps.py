"""Authlib's grants as two pure, synchronous steps; the only module that knows Authlib.

The caller loads what a request names, a step lets Authlib judge it, the caller commits. Everything a grant may ask for
is handed in, everything it decides comes out; nothing here waits, stores, signs, or reads a clock.

What Authlib is kept from, because it fails there: Basic credentials that are not UTF-8, and text that would end up in
an error description (it raises ValueError for quotes, backslashes and anything not ASCII). Its PKCE extension lets a
request leave the challenge out or use `plain`; _S256Only closes both. Its error texts never leave this module, and it
never sees a token, so that it cannot log one.
"""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError, InvalidScopeError, OAuth2Error, OAuth2Payload, grants
from authlib.oauth2.rfc7636 import CodeChallenge

from auth_server.domain.client import Client, GrantType
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.protocol import client_auth, pkce, redirect_uri
from auth_server.protocol.client_auth import PresentedCredentials
from shared_kernel import scope

# Authlib wants an https URI to believe in secure transport; where the server listens is not its concern.
_URI = "https://authorization-server.invalid/"

_REASONS = {
    "invalid_client": Reason.CLIENT_NOT_AUTHENTICATED,
    "unauthorized_client": Reason.GRANT_TYPE_NOT_ALLOWED,
    "unsupported_grant_type": Reason.UNSUPPORTED_GRANT_TYPE,
    "unsupported_response_type": Reason.UNSUPPORTED_RESPONSE_TYPE,
    "invalid_scope": Reason.SCOPE_NOT_ALLOWED,
    "invalid_request": Reason.MISSING_PARAMETER,
}


@dataclass(frozen=True, slots=True)
class CodeInQuestion:
    """The stored code that a request names, with its grant; used or not."""

    redirect_uri: str
    code_challenge: str
    grant: Grant


@dataclass(frozen=True, slots=True)
class TokenDecision:
    """What to issue."""

    client: Client
    scopes: frozenset[str]
    with_refresh_token: bool


def judge_authorization(client: Client, parameters: Mapping[str, str]) -> frozenset[str]:
    """Judges an authorization request whose redirect URI is proven; gives the scopes left after narrowing.

    Raises Refused: REDIRECT_URI_NOT_ALLOWED, UNSUPPORTED_RESPONSE_TYPE, GRANT_TYPE_NOT_ALLOWED, PKCE_REQUIRED,
    SCOPE_NOT_ALLOWED.
    """
    response_type = parameters.get("response_type", "")
    if not response_type.replace("_", "").replace(" ", "").isalnum() or not response_type.isascii():
        raise Refused(Reason.UNSUPPORTED_RESPONSE_TYPE)
    if not redirect_uri.is_registered(client.redirect_uris, parameters.get("redirect_uri", "")):
        raise Refused(Reason.REDIRECT_URI_NOT_ALLOWED)
    _checked_scope(parameters.get("scope"))
    step = _Step(client, parameters)
    try:
        step.get_consent_grant(step.request("GET"))
    except OAuth2Error as error:
        raise Refused(_REASONS.get(error.error, Reason.MALFORMED_REQUEST)) from error
    return scope.parse(step.current.scope)


def judge_token_request(
    client: Client | None,
    credentials: PresentedCredentials,
    parameters: Mapping[str, str],
    now: float,
    *,
    code: CodeInQuestion | None = None,
    refresh_grant: Grant | None = None,
) -> TokenDecision:
    """Judges a token request. `code` or `refresh_grant` are what it names, if they exist.

    Raises Refused: CLIENT_NOT_AUTHENTICATED, GRANT_TYPE_NOT_ALLOWED, UNSUPPORTED_GRANT_TYPE, MISSING_PARAMETER,
    SCOPE_NOT_ALLOWED, CODE_NOT_VALID, MALFORMED_VERIFIER, WRONG_VERIFIER, REFRESH_TOKEN_NOT_VALID,
    REFRESH_TOKEN_STOLEN.
    """
    if parameters.get("grant_type") not in frozenset(GrantType):
        raise Refused(Reason.UNSUPPORTED_GRANT_TYPE)
    _checked_scope(parameters.get("scope"))
    matches = credentials.secret is not None and client_auth.secret_matches(client, credentials.secret, now)
    step = _Step(client, parameters, credentials, matches, code, refresh_grant)
    step.create_token_response(step.request("POST"))
    assert step.decision is not None  # Authlib has either issued or raised
    return step.decision


def _checked_scope(text: str | None) -> None:
    try:
        scope.parse(text or "")
    except scope.MalformedScope as error:
        raise Refused(Reason.SCOPE_NOT_ALLOWED) from error


class _Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib is untyped
    def __init__(self, values: Mapping[str, str]) -> None:
        self._data = dict(values)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {name: [value] for name, value in self._data.items()})


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    def __init__(self, method: str, values: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(method, _URI, headers=dict(headers))
        self.payload = _Payload(values)

    @property
    def args(self) -> dict[str, str]:
        return dict(self.payload.data)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """A client as Authlib asks about it."""

    def __init__(self, client: Client, secret_is_right: bool, grant: Grant | None) -> None:
        self.client, self._secret_is_right, self._grant = client, secret_is_right, grant

    def get_client_id(self) -> str:
        return self.client.client_id

    def get_default_redirect_uri(self) -> None:
        # OAuth 2.1 §4.1.1 wants the redirect URI stated, even where only one is registered.
        return None

    def get_allowed_scope(self, requested: str | None) -> str | None:
        asked = scope.parse(requested) if requested else self.client.scopes - {scope.OFFLINE_ACCESS}
        # Clients ask for everything in scopes_supported, so narrowing beats refusing while something is left.
        return scope.join(asked & self.client.scopes) or None

    def check_redirect_uri(self, uri: str) -> bool:
        return redirect_uri.is_registered(self.client.redirect_uris, uri)

    def check_client_secret(self, _secret: str) -> bool:
        return self._secret_is_right

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return (method != "none") == self.client.confidential

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and GrantType.AUTHORIZATION_CODE in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        if grant_type == GrantType.REFRESH_TOKEN and self._grant is not None:
            return self._grant.refreshable
        return grant_type in self.client.grant_types


class _Code:
    """A code as Authlib asks about it."""

    code_challenge_method = pkce.METHOD

    def __init__(self, code: CodeInQuestion) -> None:
        self.code_challenge, self._code = code.code_challenge, code

    def get_redirect_uri(self) -> str:
        return self._code.redirect_uri

    def get_scope(self) -> str:
        return scope.join(self._code.grant.scopes)


class _RefreshToken:
    """A refresh token as Authlib asks about it."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant

    def check_client(self, client: _Client) -> bool:
        # Only a holder of another client's token gets here: somebody has taken it (the flow revokes the family).
        if client.get_client_id() != self._grant.client_id:
            raise Refused(Reason.REFRESH_TOKEN_STOLEN)
        return True

    def get_scope(self) -> str:
        return scope.join(self._grant.scopes)


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


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

    def query_authorization_code(self, _code: str, client: _Client) -> _Code | None:
        code = self.server.code
        return _Code(code) if code is not None and code.grant.client_id == client.get_client_id() else None

    def authenticate_user(self, _code: _Code) -> str:
        return str(self.server.code.grant.user_id)

    def delete_authorization_code(self, _code: _Code) -> None:
        """The store's redeem does it, atomically."""


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, _token: str) -> _RefreshToken | None:
        grant = self.server.refresh_grant
        return _RefreshToken(grant) if grant is not None else None

    def authenticate_user(self, _token: _RefreshToken) -> str:
        return str(self.server.refresh_grant.user_id)

    def revoke_old_credential(self, _token: _RefreshToken) -> None:
        """The store's rotate does it, atomically."""


class _ClientCredentialsGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def validate_requested_scope(self) -> None:
        # The operator granted these scopes one by one; asking for another is a mistake worth hearing about.
        if not scope.parse(self.request.payload.scope or "") <= _machine_scopes(self.request.client.client):
            raise InvalidScopeError


class _Step(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """Authlib's server, made for one request from what was loaded for it."""

    def __init__(
        self,
        client: Client | None,
        parameters: Mapping[str, str],
        credentials: PresentedCredentials | None = None,
        secret_is_right: bool = False,
        code: CodeInQuestion | None = None,
        refresh_grant: Grant | None = None,
    ) -> None:
        super().__init__(scopes_supported=None)
        self.register_grant(_CodeGrant, [_S256Only(required=True)])
        self.register_grant(_RefreshGrant)
        self.register_grant(_ClientCredentialsGrant)
        self.code, self.refresh_grant = code, refresh_grant
        self.decision: TokenDecision | None = None
        self._known = _Client(client, secret_is_right, code.grant if code else refresh_grant) if client else None
        self._parameters, self._credentials = parameters, credentials
        self.current: Any = None

    def request(self, method: str) -> _Request:
        """The request in the form in which Authlib reads it without fail."""
        values, headers, shown = dict(self._parameters), {}, self._credentials
        if shown is not None and shown.method == "client_secret_basic":
            pair = f"{quote(shown.unverified_client_id, safe='')}:{quote(shown.secret or '', safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self.current = _Request(method, values, headers)
        return self.current  # type: ignore[no-any-return]  # Authlib is untyped

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def query_client(self, client_id: str) -> _Client | None:
        return self._known if self._known is not None and self._known.get_client_id() == client_id else None

    def generate_token(
        self,
        grant_type: str,
        client: _Client,
        user: str | None = None,  # noqa: ARG002 (Authlib's signature)
        scope: str | None = None,  # the text that Authlib has checked
        expires_in: int | None = None,  # noqa: ARG002 (Authlib's signature)
        include_refresh_token: bool = True,
    ) -> dict[str, str]:
        """Notes the decision; the flow mints the tokens."""
        scopes = _scopes(scope) or (
            _machine_scopes(client.client) if grant_type == GrantType.CLIENT_CREDENTIALS else frozenset()
        )
        self.decision = TokenDecision(client.client, scopes, include_refresh_token)
        return {}

    def save_token(self, token: Any, request: Any) -> None:
        """The flow's commit does it."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, _status: int, body: Any, _headers: Any) -> Any:
        return body

    def handle_error_response(self, request: _Request, error: OAuth2Error) -> NoReturn:
        if error.error == "invalid_grant":
            of_code = request.payload.grant_type == GrantType.AUTHORIZATION_CODE
            raise Refused(Reason.CODE_NOT_VALID if of_code else Reason.REFRESH_TOKEN_NOT_VALID) from error
        raise Refused(_REASONS.get(error.error, Reason.MALFORMED_REQUEST)) from error


def _scopes(text: str | None) -> frozenset[str]:
    return scope.parse(text or "")


def _machine_scopes(client: Client) -> frozenset[str]:
    """What client_credentials may have: there is no user to be offline from."""
    return client.scopes - {scope.OFFLINE_ACCESS}
