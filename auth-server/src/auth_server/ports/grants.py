"""Grants and the refresh tokens that descend from them."""

from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.grant import Grant, RefreshToken


@dataclass(frozen=True, slots=True)
class LoadedRefreshToken:
    """A refresh token as stored, rotated or not, and its grant."""

    token: RefreshToken
    grant: Grant


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation writes.

    `sealed` is the response, readable only with the old token; `request` names the scopes and resource asked for, which
    a replay must match.
    """

    successor: RefreshToken
    sealed: bytes
    request: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """This caller's successor is the one."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Another call has rotated the token a moment ago; `sealed` is its response."""

    sealed: bytes


@dataclass(frozen=True, slots=True)
class ReplayDiffers:
    """As Replay, but that call asked for other scopes or another resource. Nothing was revoked."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A used code or token came back; its grant is now revoked."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Unknown, expired, burnt, or of a revoked grant."""


class RefreshStore(Protocol):
    """Refresh tokens and the families they form."""

    async def refresh_token(self, digest: str) -> LoadedRefreshToken | None:
        """A refresh token, rotated or not, for judging a request; what it still buys is rotate's to say."""
        ...

    async def rotate(
        self, digest: str, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | Reused | Gone:
        """Replaces the token by its successor.

        A token rotated less than REPLAY_WINDOW ago, whose successor is unused, gives Replay; any other rotated one
        revokes the grant and gives Reused. Rotating a successor erases the sealed response that brought it.
        """
        ...


class GrantStore(Protocol):
    """Revocation."""

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """Ends a grant, its code and its refresh tokens. Unknown or revoked: no effect."""
        ...

    async def revoke_grant_by_handle(self, handle: str, client_id: str, now: float) -> None:
        """As revoke_grant, for the `gid` of an access token, if the grant is that client's."""
        ...
