"""Who this authorization server is, and for which resources it issues tokens."""

from dataclasses import dataclass

DEFAULT_TENANT = "default"
"""The one tenant there is; carried in every token and compared with a schema's tenant by mcp-server."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The values that settings fix for a running server.

    `issuer` has no trailing slash and is the same byte string in metadata, tokens and redirects. `resources` are
    canonical resource URIs (RFC 8707); the first stands in when a request names none. `redirect_schemes` are the
    private-use URI schemes without a dot to which clients that registered themselves may be redirected.
    """

    issuer: str
    resources: tuple[str, ...]
    redirect_schemes: frozenset[str]
