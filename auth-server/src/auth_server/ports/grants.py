"""Grants and the refresh tokens that descend from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.grant import Grant, RefreshToken, RefreshTokenKey


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation writes.

    `sealed` is the response, readable only with the old token; `request` names the scopes, the resource and the key,
    which a replay must match. `key_thumbprint` is that of the key to which the family is, or will be, bound.
    """

    successor: RefreshToken
    sealed: bytes
    request: str
    key_thumbprint: str | None = None


@dataclass(frozen=True, slots=True)
class LiveRefreshToken:
    """A refresh token that can be used now, by what it stands for and when it ends."""

    grant: Grant
    expires_at: float


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
class OtherKey:
    """The family is bound to another key than the rotation's, or the rotation has none. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A used code or token came back; its grant is now revoked."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Unknown, expired, burnt, or of a revoked grant."""


class RefreshStore(Protocol):
    """Refresh tokens and the families they form."""

    async def refreshed_grant(self, key: RefreshTokenKey) -> Grant | None:
        """The grant of a refresh token, live or rotated, for judging a request; what it still buys is rotate's to say.

        None if the token never was one of that grant's, as far as is remembered. What is given may be over by now.
        """
        ...

    async def live_refresh_token(self, key: RefreshTokenKey, now: float) -> LiveRefreshToken | None:
        """The token, if rotate() would replace it now; it is not used up. None for a rotated one, too."""
        ...

    async def rotate(
        self, key: RefreshTokenKey, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
        """Replaces the token by its successor, if its person is still there, enabled, and in the workspace.

        A token rotated less than REPLAY_WINDOW ago, whose successor is unused, gives Replay; any other one of the
        family revokes the grant and gives Reused. Rotating a successor erases the sealed response that brought it.
        """
        ...


class GrantStore(Protocol):
    """What people have allowed, and its end."""

    async def grants(self, now: float, user_id: str | None = None) -> Sequence[Grant]:
        """The grants of a person, or of all, that are neither revoked nor expired, oldest first."""
        ...

    async def has_grant(self, user_id: str, client_id: str, now: float) -> bool:
        """Whether that person has allowed that client something that is neither revoked nor expired."""
        ...

    async def grant_by_handle(self, handle: str, now: float) -> Grant | None:
        """The grant that an access token's `gid` names, if tokens of it are to be believed now.

        None once it is revoked or expired, its person is disabled or gone, or its client deleted.
        """
        ...

    async def add_grant(self, grant: Grant, now: float) -> bool:
        """Adds a grant without code or refresh token, which no decision in a browser has led to.

        False if its client or person are gone, or the person is disabled.
        """
        ...

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """Ends a grant, its code and its refresh tokens. Unknown or revoked: no effect."""
        ...

    async def revoke_grant_by_handle(self, handle: str, client_id: str | None, now: float) -> bool:
        """As revoke_grant, for the `gid` of an access token, if the grant is that client's; None stands for any.

        False if nothing was revoked.
        """
        ...
