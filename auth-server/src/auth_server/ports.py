"""What the flows need from outside, in small Protocols; `app` decides what stands behind each.

Stores offer atomic verbs only: a one-time thing is taken in one step, never looked up and then used. Every verb may
raise StoreUnavailable, and has then changed nothing. Secrets come in as SHA-256 digests (domain/credentials), times as
seconds since the epoch; expiry is compared inside each verb, never left to a sweeper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from joserfc.jwk import ECKey

from auth_server.domain.authorization import AuthorizationCode, Transaction
from auth_server.domain.client import Client, ClientSecret
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.domain.signing_key import SealedKey
from auth_server.domain.user import Session, User


class StoreUnavailable(Exception):
    """The store cannot answer right now; nothing was changed. Becomes 503 with Retry-After."""


class ClientStore(Protocol):
    """Registered clients."""

    async def client(self, client_id: str) -> Client | None:
        """The client of that id."""
        ...

    async def clients(self) -> Sequence[Client]:
        """All clients, oldest first."""
        ...

    async def add_client(self, client: Client) -> bool:
        """Adds a client; False if its id exists, which for a dynamic client only renews its unused-since time."""
        ...

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """Adds a secret; the newest earlier one lives until `previous_until` at most, others end at once.

        False if there is no such confidential client.
        """
        ...

    async def delete_client(self, client_id: str, now: float) -> bool:
        """Removes a client and revokes all its grants in one step; False if there is none."""
        ...


class UserStore(Protocol):
    """People."""

    async def add_user(self, user: User) -> bool:
        """Adds a user; False if the e-mail address is taken."""
        ...

    async def user(self, user_id: str) -> User | None:
        """The user of that id."""
        ...

    async def user_by_email(self, email: str) -> User | None:
        """The user of that normalised address."""
        ...


class SessionStore(Protocol):
    """Signed-in browsers."""

    async def start_session(self, session: Session, replaces: str | None) -> None:
        """Adds a session and ends the one it replaces, in one step."""
        ...

    async def session(self, digest: str, now: float) -> Session | None:
        """The session, unless it has expired."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """A code as stored, used or not, and the grant it stands for."""

    code: AuthorizationCode
    grant: Grant


@dataclass(frozen=True, slots=True)
class Decided:
    """The transaction has been approved or denied already."""


class TransactionStore(Protocol):
    """Authorization requests between `/authorize` and the decision."""

    async def start_transaction(self, transaction: Transaction) -> None:
        """Adds a transaction."""
        ...

    async def transaction(self, digest: str, now: float) -> Transaction | Decided | None:
        """The transaction; Decided once it was approved or denied; None if unknown or expired."""
        ...

    async def approve(self, transaction_digest: str, grant: Grant, code: AuthorizationCode, now: float) -> bool:
        """Consumes the transaction and adds grant and code, in one step; False if it was not there to consume."""
        ...

    async def deny(self, transaction_digest: str, now: float) -> bool:
        """Consumes the transaction; False if it was not there to consume."""
        ...


@dataclass(frozen=True, slots=True)
class Redeemed:
    """This caller, and no other, has the code."""


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


class CodeStore(Protocol):
    """Authorization codes."""

    async def code(self, digest: str) -> LoadedCode | None:
        """A code, used or not, for judging a request; whether it can be had is redeem's to say."""
        ...

    async def redeem(self, digest: str, refresh: RefreshToken | None, now: float) -> Redeemed | Reused | Gone:
        """Uses the code and adds its first refresh token. A used code revokes its grant."""
        ...

    async def count_wrong_verifier(self, digest: str) -> None:
        """Counts a failed proof against an unused code; MAX_WRONG_VERIFIERS of them burn it."""
        ...


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


class SigningKeyStore(Protocol):
    """Sealed signing keys."""

    async def ensure_signing_keys(self, active: SealedKey, following: SealedKey) -> Sequence[SealedKey]:
        """Stores the two if there is no active key yet, in one step; gives the keys there are then."""
        ...

    async def signing_keys(self, now: float) -> Sequence[SealedKey]:
        """The keys to publish: active, next, and retired ones younger than RETIRED_LIFETIME."""
        ...

    async def promote_next_key(self, following: SealedKey, now: float) -> float | None:
        """Retires the active key, makes `next` active and `following` next, in one step.

        Gives None when done, else the time from which the present `next` key may be promoted.
        """
        ...


class Maintenance(Protocol):
    """What a store needs now and then."""

    async def check(self) -> None:
        """Returns if the store can be read and written; raises StoreUnavailable otherwise."""
        ...

    async def sweep(self, now: float) -> int:
        """Deletes what has expired and can no longer matter; gives the number of rows."""
        ...


class KeyRing(Protocol):
    """The signing keys, opened. Notices a rotation by another process within a second."""

    async def signing_key(self) -> ECKey:
        """The one active private key; its `kid` is set."""
        ...

    async def published_keys(self) -> Mapping[str, ECKey]:
        """All public keys by `kid`: active, next, and recently retired."""
        ...

    async def rotate(self) -> float | None:
        """Promotes the next key. None when done, else the seconds to wait until its publication is old enough."""
        ...


class PasswordHasher(Protocol):
    """Slow password hashing, off the event loop and bounded in number."""

    async def hash(self, password: str) -> str:
        """The hash to store."""
        ...

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password matches; takes as long for None, which stands for an unknown user."""
        ...


class AttemptLimiter(Protocol):
    """Limits how often something may be tried; in this process's memory."""

    def sign_in_attempt(self, email: str, address: str) -> int | None:
        """Counts a sign-in attempt by that account and network address; seconds to wait when it is one too many."""
        ...

    def sign_in_succeeded(self, email: str, address: str) -> None:
        """Forgets the attempts of that account from that address."""
        ...

    def authorization_attempt(self, address: str) -> int | None:
        """Counts an authorization request; seconds to wait when it is one too many."""
        ...

    def registration_attempt(self, address: str) -> int | None:
        """Counts a client registration; seconds to wait when it is one too many."""
        ...

    def client_authentication_wait(self, client_id: str, address: str) -> int | None:
        """Seconds in which that client may not try again from that address, None if it may; counts nothing."""
        ...

    def client_authentication_failed(self, client_id: str, address: str) -> None:
        """Counts a failed authentication of that client from that address."""
        ...
