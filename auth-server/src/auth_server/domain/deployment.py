"""Who this authorization server is, and for which resources it issues tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class DocumentPolicy(StrEnum):
    """Whose metadata documents make a client."""

    PUBLIC = "public"
    """Those of every host of the public Internet, and of the named origins."""
    NAMED = "named"
    OFF = "off"


class RegistrationPolicy(StrEnum):
    """Who may register a client."""

    OPEN = "open"
    """Every client registers itself."""
    TOKEN = "token"
    """Every client registers itself that has an initial access token of the operator's."""
    OFF = "off"
    """Only the operator does; and documents make clients, where their policy lets them."""


@dataclass(frozen=True, slots=True)
class AssertionIssuer:
    """A company's identity provider, whose assertions are believed about people of that one workspace."""

    workspace: str
    issuer: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """Another OpenID Connect provider, which is believed about everybody, and this server as a client of it."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The values that settings fix for a running server.

    `issuer` has no trailing slash and is the same byte string in metadata, tokens and redirects. `resources` are
    canonical resource URIs (RFC 8707); the first stands in when a request names none. `resource_aliases` maps further
    canonical URIs to the resource that each means. `redirect_schemes` are the private-use URI schemes without a dot to
    which clients that registered themselves may be redirected. `document_origins` are those that the operator names for
    client documents. `dpop_nonce_required` demands a nonce in every proof of possession, `par_required` that every
    authorization request is pushed. Each of `assertion_issuers` has another `issuer`.
    """

    issuer: str
    resources: tuple[str, ...]
    redirect_schemes: frozenset[str]
    client_documents: DocumentPolicy = DocumentPolicy.PUBLIC
    document_origins: frozenset[str] = frozenset()
    resource_aliases: Mapping[str, str] = field(default_factory=dict)
    dpop_nonce_required: bool = False
    par_required: bool = False
    assertion_issuers: tuple[AssertionIssuer, ...] = ()
    registration: RegistrationPolicy = RegistrationPolicy.OPEN
    upstream: Upstream | None = None
