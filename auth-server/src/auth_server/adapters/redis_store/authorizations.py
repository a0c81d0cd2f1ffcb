"""Transactions and authorization codes in Redis."""

from auth_server.adapters.redis_store.authorization_fields import (
    code_fields,
    code_from,
    transaction_fields,
    transaction_from,
)
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields, pairs
from auth_server.adapters.redis_store.grant_fields import grant_fields, grant_from
from auth_server.adapters.redis_store.people_fields import consent_field, consent_text
from auth_server.adapters.redis_store.reading import read
from auth_server.adapters.remembered import Remembered
from auth_server.domain.authorization import AuthorizationCode, Transaction
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.ports.authorizations import Decided, LoadedCode, Redeemed
from auth_server.ports.grants import Gone, Reused

_REMEMBERED = 1_000
"""Codes on their way to the client that need not be read again."""
_OUTCOMES: dict[bytes, Redeemed | Reused | Gone] = {b"redeemed": Redeemed(), b"reused": Reused(), b"gone": Gone()}


class RedisAuthorizations:
    """Implements TransactionStore and CodeStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whether a code is used, burnt or late is redeem's to say; the rest of it never changes.
        self._codes = Remembered[str, LoadedCode](_REMEMBERED)

    async def start_transaction(self, transaction: Transaction) -> None:
        """See TransactionStore."""
        await self._database.run(
            "start_transaction", transaction.digest, transaction.expires_at, *pairs(transaction_fields(transaction))
        )

    async def transaction(self, digest: str, now: float) -> Transaction | Decided | None:
        """See TransactionStore."""
        found = await read(self._database, "transaction", digest)
        if found is None or float(found["expires_at"]) <= now:
            return None
        transaction = transaction_from(found)
        if "decided_at" not in found:
            return transaction
        grant_id = found.get("grant_id")
        return Decided(transaction, float(found["decided_at"]), grant_id.decode() if grant_id else None)

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
        """See TransactionStore."""
        consent = remember or rest_on
        todo = ("remember" if remember else "rest_on") if consent else None
        of_consent = (
            (consent_field(consent.key), consent_text(consent), consent.expires_at) if consent else ("", "", "")
        )
        of_code = code_fields(code)
        approved = await self._database.run(
            "approve",
            transaction_digest,
            now,
            grant.grant_id,
            grant.handle,
            grant.client_id,
            grant.user_id,
            grant.expires_at,
            grant.tenant,
            grant.role,
            todo,
            *of_consent,
            code.digest,
            code.expires_at,
            len(of_code),
            *pairs(of_code),
            *pairs(grant_fields(grant)),
        )
        if approved:
            self._codes.put(code.digest, LoadedCode(code, grant))
        return bool(approved)

    async def deny(self, transaction_digest: str, now: float) -> bool:
        """See TransactionStore."""
        return bool(await self._database.run("deny", transaction_digest, now))

    async def code(self, digest: str) -> LoadedCode | None:
        """See CodeStore."""
        remembered = self._codes.get(digest)
        if remembered is not None:
            return remembered
        code, grant = await self._database.run("code", digest)
        return LoadedCode(code_from(fields(code)), grant_from(fields(grant))) if code and grant else None

    async def redeem(
        self, digest: str, refresh: RefreshToken | None, now: float, key_thumbprint: str | None = None
    ) -> Redeemed | Reused | Gone:
        """See CodeStore."""
        first = (refresh.key.digest, refresh.key.family, refresh.expires_at) if refresh else ("", "", "")
        try:
            # Without a refresh token nothing would tell a repetition from a second redemption.
            outcome: bytes = await self._database.run(
                "redeem", digest, now, *first, key_thumbprint, repeatable=refresh is not None, durable=True
            )
        finally:
            self._codes.forget(digest)
        return _OUTCOMES[outcome]

    async def count_wrong_verifier(self, digest: str) -> None:
        """See CodeStore."""
        await self._database.run("count_wrong_verifier", digest, repeatable=False)
