"""Authlib's server, made for one request from what was loaded for it.

It keeps from Authlib what makes it fail: credentials (client_auth judges them, once for all endpoints), and text that
would end up in an error description (it raises ValueError for quotes, backslashes and anything not ASCII). Its error
texts never leave this package, and it never sees a token or a secret, so that it cannot log one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError, OAuth2Error, OAuth2Payload

from auth_server.domain.client import AuthenticationMethod, Client, GrantType
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import redirect_uri
from auth_server.protocol.narrowing import narrowed
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
class TokenRequest:
    """A token request of a client that has proved who it is, and by which method."""

    client: Client
    method: AuthenticationMethod
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TokenDecision:
    """What to issue."""

    client: Client
    scopes: frozenset[str]
    with_refresh_token: bool


def reason(error: OAuth2Error) -> Reason:
    """Our reason for an error of Authlib's."""
    return _REASONS.get(error.error, Reason.MALFORMED_REQUEST)


def check_scope(text: str | None) -> None:
    """Raises Refused (SCOPE_NOT_ALLOWED) for a scope that is malformed, before Authlib sees it."""
    try:
        scope.parse(text or "")
    except scope.MalformedScope as error:
        raise Refused(Reason.SCOPE_NOT_ALLOWED) from error


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib is untyped
    """Parameters, each of which stands once."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._data = dict(values)

    @property
    def data(self) -> dict[str, str]:
        """The values by name."""
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """As data, in the form for repeated parameters."""
        return defaultdict(list, {name: [value] for name, value in self._data.items()})


class Request(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    """A request in the form in which Authlib reads it without fail."""

    def __init__(self, method: str, values: Mapping[str, str]) -> None:
        # As the base class, but for its look into the environment, each time, whether every URI is believed secure.
        self.__dict__.update(_fresh())
        headers: dict[str, str] = {}
        self.method, self.headers, self.payload = method, headers, Payload(values)

    @property
    def args(self) -> dict[str, str]:
        """The parameters of the URL."""
        return dict(self.payload.data)

    @property
    def form(self) -> dict[str, str]:
        """The parameters of the body."""
        return dict(self.payload.data)


@cache
def _fresh() -> Mapping[str, Any]:
    """The fields of a request of which nothing is known yet."""
    return dict(vars(OAuth2Request("POST", _URI)))


class RegisteredClient(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """A client as Authlib asks about it.

    `proven_by` is how it has proved who it is, if it has; `refreshable` overrides its registration for a grant that
    exists.
    """

    def __init__(
        self, client: Client, *, proven_by: AuthenticationMethod | None = None, refreshable: bool | None = None
    ) -> None:
        self.client, self.proven_by, self._refreshable = client, proven_by, refreshable

    def get_client_id(self) -> str:
        """The client's id."""
        return self.client.client_id

    def get_default_redirect_uri(self) -> None:
        """None: OAuth 2.1 §4.1.1 wants the redirect URI stated, even where only one is registered."""

    def get_allowed_scope(self, requested: str | None) -> str | None:
        """The scopes that are left of those requested."""
        return scope.join(narrowed(requested, self.client)) or None

    def check_redirect_uri(self, uri: str) -> bool:
        """Whether the redirect URI is registered."""
        return redirect_uri.is_registered(self.client.redirect_uris, uri)

    def check_response_type(self, response_type: str) -> bool:
        """Whether the client may ask for this response."""
        return response_type == "code" and GrantType.AUTHORIZATION_CODE in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use this grant."""
        if grant_type == GrantType.REFRESH_TOKEN and self._refreshable is not None:
            return self._refreshable
        return grant_type in self.client.grant_types


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """Authlib's server for one request and one grant.

    `loaded` is what the request names, for the grant's own callbacks; `invalid_grant` is our reason where Authlib says
    that; `default_scopes` are issued when Authlib has checked none.
    """

    def __init__(
        self,
        client: RegisteredClient,
        grant: type[Any],
        extensions: Sequence[Any] = (),
        *,
        loaded: Any = None,
        invalid_grant: Reason = Reason.MALFORMED_REQUEST,
        default_scopes: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(scopes_supported=None)
        self.register_grant(grant, list(extensions))
        self.loaded = loaded
        self._client, self._invalid_grant, self._default_scopes = client, invalid_grant, default_scopes
        self._decision: TokenDecision | None = None

    def decide(self, request: TokenRequest) -> TokenDecision:
        """What to issue for the request. Raises Refused."""
        self.create_token_response(Request("POST", request.parameters))
        assert self._decision is not None  # Authlib has either issued or raised
        return self._decision

    def create_oauth2_request(self, request: Request) -> Request:
        """The request, which is in Authlib's form already."""
        return request

    def authenticate_client(
        self,
        request: Request,
        methods: Sequence[str],
        endpoint: str = "token",  # noqa: ARG002 (Authlib's signature)
    ) -> RegisteredClient:
        """The client, if it has proved who it is in a way that the grant allows."""
        if self._client.proven_by not in methods:
            raise InvalidClientError
        request.auth_method = self._client.proven_by
        return self._client

    def query_client(self, client_id: str) -> RegisteredClient | None:
        """The one client that was loaded."""
        return self._client if self._client.get_client_id() == client_id else None

    def generate_token(
        self,
        grant_type: str,  # noqa: ARG002 (Authlib's signature)
        client: RegisteredClient,
        user: str | None = None,  # noqa: ARG002 (Authlib's signature)
        scope: str | None = None,  # the text that Authlib has checked
        expires_in: int | None = None,  # noqa: ARG002 (Authlib's signature)
        include_refresh_token: bool = True,
    ) -> dict[str, str]:
        """Notes the decision; the flow mints the tokens."""
        self._decision = TokenDecision(client.client, _scopes(scope) or self._default_scopes, include_refresh_token)
        return {}

    def save_token(self, token: Any, request: Any) -> None:
        """The flow's commit does it."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, _status: int, body: Any, _headers: Any) -> Any:
        """The body alone."""
        return body

    def handle_error_response(self, _request: Request, error: OAuth2Error) -> NoReturn:
        """Raises Refused."""
        raise Refused(self._invalid_grant if error.error == "invalid_grant" else reason(error)) from error


def token_client(request: TokenRequest, *, refreshable: bool | None = None) -> RegisteredClient:
    """The client of a token request. Raises Refused (SCOPE_NOT_ALLOWED)."""
    check_scope(request.parameters.get("scope"))
    return RegisteredClient(request.client, proven_by=request.method, refreshable=refreshable)


def _scopes(text: str | None) -> frozenset[str]:
    return scope.parse(text or "")
