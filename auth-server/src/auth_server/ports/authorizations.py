"""Authorization requests on their way to a code, and codes on their way to tokens."""

from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.authorization import AuthorizationCode, Transaction
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.ports.grants import Gone, Reused


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """A code as stored, used or not, and the grant it stands for."""

    code: AuthorizationCode
    grant: Grant


@dataclass(frozen=True, slots=True)
class Decided:
    """The transaction was approved or denied at `decided_at`; `grant_id` is the grant it led to, None if denied."""

    transaction: Transaction
    decided_at: float
    grant_id: str | None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """This caller, and no other, has the code."""


class TransactionStore(Protocol):
    """Authorization requests between `/authorize` and the decision."""

    async def start_transaction(self, transaction: Transaction) -> None:
        """Adds a transaction."""
        ...

    async def transaction(self, digest: str, now: float) -> Transaction | Decided | None:
        """The transaction; Decided once it was approved or denied; None if unknown or expired."""
        ...

    async def approve(
        self,
        transaction_digest: str,
        grant: Grant,
        code: AuthorizationCode,
        now: float,
        *,
        remember: RememberedConsent | None = None,
        rest_on: RememberedConsent | None = None,
    ) -> bool:
        """Consumes the transaction and adds grant and code, in one step; False if it was not there to consume.

        Also False if client or person are gone, the person is disabled, or does not have the grant's role in its
        workspace. `remember` is added in the same step, in place of an earlier one of its key. An approval that rests
        on an earlier consent is False if that has ended, expired or been replaced.
        """
        ...

    async def deny(self, transaction_digest: str, now: float) -> bool:
        """Consumes the transaction; False if it was not there to consume."""
        ...


class CodeStore(Protocol):
    """Authorization codes."""

    async def code(self, digest: str) -> LoadedCode | None:
        """A code, used or not, for judging a request; whether it can be had is redeem's to say."""
        ...

    async def redeem(
        self, digest: str, refresh: RefreshToken | None, now: float, key_thumbprint: str | None = None
    ) -> Redeemed | Reused | Gone:
        """Uses the code and adds its first refresh token, bound to that key. A used code revokes its grant."""
        ...

    async def count_wrong_verifier(self, digest: str) -> None:
        """Counts a failed proof against an unused code; MAX_WRONG_VERIFIERS of them burn it."""
        ...
