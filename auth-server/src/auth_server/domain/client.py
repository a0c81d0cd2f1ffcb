"""Clients: applications that ask for tokens (RFC 6749 §2)."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from shared_kernel import scope

MAX_NEVER_USED = 2_000
"""Most self-registered clients kept that nobody has allowed anything yet."""
NEVER_USED_LIFETIME = 86400
"""Seconds after which such a client is forgotten."""
DYNAMIC_LIFETIME = 30 * 86400
"""Seconds after which a self-registered client that has been used, and has no grant left, is forgotten."""


class GrantType(StrEnum):
    """The grants this server knows (RFC 6749 §1.3), by their wire names."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"
    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class AuthenticationMethod(StrEnum):
    """How clients prove who they are (RFC 7591 §2, OpenID Connect Core §9), by their wire names."""

    NONE = "none"
    CLIENT_SECRET_BASIC = "client_secret_basic"
    CLIENT_SECRET_POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"


class Registration(StrEnum):
    """How a client came to be known: entered by the operator, by itself (RFC 7591), or by its metadata document."""

    OPERATOR = "operator"
    DYNAMIC = "dynamic"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret of a confidential client, by its SHA-256. `expires_at` is None while nothing has replaced it."""

    digest: str
    created_at: float
    expires_at: float | None = None

    def is_live(self, now: float) -> bool:
        """Whether the secret still authenticates."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client.

    `redirect_uris` of loopback clients carry no port. A `confidential` client proves who it is: by one of its
    `secrets`, at most two, or, if it has keys, by them alone. One that is not confidential and has keys may use them.
    `jwks` is a JWK set of public keys as JSON, `jwks_uri` where such a set is published; there is at most one of both.
    `authentication_method` is the one that a client named when it registered itself.

    `tenant` is the workspace of a client of the operator's; one that came by itself works where its person chooses,
    and has none, nor has a resource server. `document_expires_at` is when the metadata document of a client that has
    one must be fetched anew.
    `registration_token` is the SHA-256 of the token with which a client manages its own registration (RFC 7592).
    `dpop_bound` demands that its token requests prove that it holds a key (RFC 9449 §5.2), `par_required` that its
    authorization requests are pushed (RFC 9126 §6).
    `resource_server` is the resource for which the client answers, and whose tokens it may look into; None for most.
    Times are seconds since the epoch.
    """

    client_id: str
    name: str
    registration: Registration
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[GrantType]
    scopes: frozenset[str]
    tenant: str | None
    created_at: float
    confidential: bool = False
    secrets: tuple[ClientSecret, ...] = ()
    document_expires_at: float | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    authentication_method: AuthenticationMethod | None = None
    registration_token: str | None = None
    resource_server: str | None = None
    dpop_bound: bool = False
    par_required: bool = False

    @property
    def methods(self) -> frozenset[AuthenticationMethod]:
        """How the client may prove who it is."""
        found = set[AuthenticationMethod]()
        if not self.confidential:
            found.add(AuthenticationMethod.NONE)
        if self.has_keys:
            found.add(AuthenticationMethod.PRIVATE_KEY_JWT)
        elif self.confidential:
            found |= {AuthenticationMethod.CLIENT_SECRET_BASIC, AuthenticationMethod.CLIENT_SECRET_POST}
        return frozenset(found)

    @property
    def has_keys(self) -> bool:
        """Whether the client may prove who it is by a key."""
        return self.jwks is not None or self.jwks_uri is not None

    @property
    def allowed_scopes(self) -> frozenset[str]:
        """What people may be asked for in the client's name.

        One that came by itself may always ask who they are: it can have registered before that was served.
        """
        if self.registration is Registration.OPERATOR:
            return self.scopes
        return self.scopes.union(scope.IDENTITY_SCOPES)

    @property
    def is_verified(self) -> bool:
        """Whether the operator vouches for the client's name."""
        return self.registration is Registration.OPERATOR

    @property
    def host(self) -> str | None:
        """The host that publishes the client's document, and so vouches for it: `name[:port]`; None without one."""
        return urlsplit(self.client_id).netloc if self.registration is Registration.DOCUMENT else None
