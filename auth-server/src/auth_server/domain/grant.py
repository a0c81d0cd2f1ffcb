"""A grant: what one person allowed one client, and the family of refresh tokens that descends from it."""

from dataclasses import dataclass

REFRESH_IDLE_LIFETIME = 30 * 86400
GRANT_LIFETIME = 90 * 86400
REPLAY_WINDOW = 120
"""Seconds in which a rotated refresh token still gets the response of its rotation."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What was allowed. `grant_id` routes codes and refresh tokens; `handle` is the unrelated `gid` that tokens show.

    `expires_at` is absolute: no refresh extends it.
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


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token, by its SHA-256. It expires when idle, and at the latest with its grant."""

    digest: str
    grant_id: str
    expires_at: float
