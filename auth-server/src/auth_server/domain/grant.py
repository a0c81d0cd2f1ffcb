"""A grant: what one person allowed one client, and the family of refresh tokens that descends from it."""

from dataclasses import dataclass

from auth_server.domain.workspace import Role

REFRESH_IDLE_LIFETIME = 30 * 86400
GRANT_LIFETIME = 90 * 86400
REPLAY_WINDOW = 120
"""Seconds in which a rotated refresh token still gets the response of its rotation."""
REVOKED_GRANT_MEMORY = 3600
"""Seconds for which a revoked grant is kept."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What was allowed. `grant_id` routes codes and refresh tokens; `handle` is the unrelated `gid` that tokens show.

    `tenant` is the workspace it is for, and `role` the person's in it; a grant ends when either is no longer so.
    `expires_at` is absolute: no refresh extends it. `authenticated_at` is when the person had signed in. It and `role`
    are None in grants of an earlier release. `key_thumbprint` is that of the key to which a public client's refresh
    tokens are bound (RFC 9449 §5), None for none; it is set at most once, with a refresh token.
    """

    grant_id: str
    handle: str
    client_id: str
    user_id: str
    tenant: str
    scopes: frozenset[str]
    resource: str
    refreshable: bool
    created_at: float
    expires_at: float
    authenticated_at: float | None = None
    key_thumbprint: str | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class RefreshTokenKey:
    """How a refresh token is looked up. `digest` is the SHA-256 of the whole token.

    `family` is the SHA-256 of the part that all tokens of a grant share: a token that has it but is not stored is a
    rotated one, so that no rotated token need be remembered.
    """

    grant_id: str
    family: str
    digest: str


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as it is stored. It expires when idle, and at the latest with its grant."""

    key: RefreshTokenKey
    expires_at: float
