"""Everything that a store remembers, as values: what a copy of it must hold to behave the same."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.audit import AuditBatch
from auth_server.domain.authorization import AuthorizationCode, PushedRequest, Transaction
from auth_server.domain.client import Client
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.revocation import Revocation
from auth_server.domain.signing_key import SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Workspace


@dataclass(frozen=True, slots=True)
class HadKeys:
    """The store has had signing keys, so that it never gets first keys again."""


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client, when it was last heard of, and when a person last allowed it something (None: nobody ever has).

    One that came with an initial access token counts as used from the start.
    """

    client: Client
    last_used_at: float
    used_at: float | None


@dataclass(frozen=True, slots=True)
class DeletedClient:
    """The mark of a self-registered client that the operator has deleted: it stays out."""

    client_id: str
    deleted_at: float


@dataclass(frozen=True, slots=True)
class StoredPushedRequest:
    """A pushed request, without its parameters once it was used by the start of `started_transaction` (a digest)."""

    request: PushedRequest
    started_transaction: str | None


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A transaction; `decided_at` is None while it waits, `grant_id` unless it was approved."""

    transaction: Transaction
    decided_at: float | None
    grant_id: str | None


@dataclass(frozen=True, slots=True)
class ReplacedToken:
    """The refresh token before the live one, and what it gets when it comes again.

    `sealed` is the response of its rotation, None once that was erased; `request` is what the rotation asked for.
    """

    digest: str
    rotated_at: float
    request: str
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant, its live refresh token and the one before, and when it was revoked.

    A live token of the first release has an empty `key.family`, which no other token matches.
    """

    grant: Grant
    live: RefreshToken | None
    replaced: ReplacedToken | None
    revoked_at: float | None


@dataclass(frozen=True, slots=True)
class StoredCode:
    """An authorization code and what has become of it."""

    code: AuthorizationCode
    used_at: float | None
    wrong_verifiers: int


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device authorization; when it was last polled, and the seconds that its device must leave between two polls.

    `decided_at` is None while nobody has decided, `grant_id` unless it was approved.
    """

    authorization: DeviceAuthorization
    poll_interval: float
    polled_at: float | None
    decided_at: float | None
    grant_id: str | None


@dataclass(frozen=True, slots=True)
class AttemptWindow:
    """The attempts under a key of LimitStore; `ends_at` is when the last of them leaves."""

    key: str
    attempts: tuple[float, ...]
    ends_at: float


@dataclass(frozen=True, slots=True)
class UsedOnce:
    """A mark of ReplayStore."""

    key: str
    expires_at: float


Record = (
    HadKeys
    | Workspace
    | StoredClient
    | DeletedClient
    | InitialToken
    | User
    | RememberedConsent
    | Session
    | StoredPushedRequest
    | StoredTransaction
    | StoredGrant
    | StoredCode
    | StoredDevice
    | AttemptWindow
    | UsedOnce
    | Revocation
    | AuditBatch
    | SealedKey
)
"""One thing that a store remembers."""


class UnusableBackup(Exception):
    """A file of records cannot be written, or is not one to restore a store from. The text says why."""


class RecordStore(Protocol):
    """Reads a whole store, and fills an empty one."""

    def records(self) -> AsyncIterator[Record]:
        """Everything, in the order of the members of Record: what refers to something follows it.

        HadKeys comes first and the keys last, so that no server starts on half a copy. What has expired may be missing.
        Raises StoreUnavailable.
        """
        ...

    async def restore(self, records: Sequence[Record]) -> None:
        """Adds records, none of which the store has, in the order of records(). Raises StoreUnavailable."""
        ...
