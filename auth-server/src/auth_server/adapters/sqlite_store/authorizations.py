"""Transactions and authorization codes in SQLite."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from typing import Any

from auth_server.adapters.remembered import Remembered
from auth_server.adapters.sqlite_store.consents import insert_consent, stands
from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import (
    GRANT_COLUMNS,
    begin_family,
    give,
    grant_from_row,
    may_be_given,
    revoke,
)
from auth_server.domain.authorization import MAX_WRONG_VERIFIERS, AuthorizationCode, AuthorizationRequest, Transaction
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.ports.authorizations import Decided, LoadedCode, Redeemed
from auth_server.ports.grants import Gone, Reused
from shared_kernel import scope

TRANSACTION_COLUMNS = "digest, browser_digest, request, authenticated_since, expires_at, flow_id"
"""What transaction_from_row() takes."""
CODE_COLUMNS = "digest, codes.grant_id, redirect_uri, code_challenge, codes.expires_at, nonce, codes.key_thumbprint"
"""The fields of an AuthorizationCode, in order."""
_CODE_FIELDS = len(fields(AuthorizationCode))
_REMEMBERED = 1_000
"""Codes on their way to the client that need not be read again."""


class SqliteAuthorizations:
    """Implements TransactionStore and CodeStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whether a code is used, burnt or late is redeem's to say; the rest of it never changes.
        self._codes = Remembered[str, LoadedCode](_REMEMBERED)

    async def start_transaction(self, transaction: Transaction) -> None:
        """See TransactionStore."""
        await self._database.write(insert_transaction, transaction)

    async def transaction(self, digest: str, now: float) -> Transaction | Decided | None:
        """See TransactionStore."""
        return await self._database.read(_transaction, digest, now)

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
        approved = await self._database.write(_approve, transaction_digest, grant, code, now, remember, rest_on)
        if approved:
            self._codes.put(code.digest, LoadedCode(code, grant))
        return approved

    async def deny(self, transaction_digest: str, now: float) -> bool:
        """See TransactionStore."""
        return await self._database.write(_consume, transaction_digest, now)

    async def code(self, digest: str) -> LoadedCode | None:
        """See CodeStore."""
        return self._codes.get(digest) or await self._database.read(_code, digest)

    async def redeem(
        self, digest: str, refresh: RefreshToken | None, now: float, key_thumbprint: str | None = None
    ) -> Redeemed | Reused | Gone:
        """See CodeStore."""
        try:
            return await self._database.write(_redeem, digest, refresh, now, key_thumbprint)
        finally:
            self._codes.forget(digest)

    async def count_wrong_verifier(self, digest: str) -> None:
        """See CodeStore."""
        await self._database.write(_count_wrong_verifier, digest)


def insert_transaction(
    db: sqlite3.Connection, transaction: Transaction, decided_at: float | None = None, grant_id: str | None = None
) -> None:
    """Inserts a transaction, decided or not."""
    request = {**asdict(transaction.request), "scopes": scope.join(transaction.request.scopes)}
    db.execute(
        "INSERT INTO transactions (digest, browser_digest, request, authenticated_since, expires_at, flow_id,"
        " decided_at, grant_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            transaction.digest,
            transaction.browser_digest,
            json.dumps(request),
            transaction.authenticated_since,
            transaction.expires_at,
            transaction.flow_id,
            decided_at,
            grant_id,
        ),
    )


def _transaction(db: sqlite3.Connection, digest: str, now: float) -> Transaction | Decided | None:
    row = db.execute(
        f"SELECT {TRANSACTION_COLUMNS}, decided_at, grant_id FROM transactions WHERE digest = ? AND expires_at > ?",
        (digest, now),
    ).fetchone()
    if row is None:
        return None
    *columns, decided_at, grant_id = row
    transaction = transaction_from_row(columns)
    return transaction if decided_at is None else Decided(transaction, decided_at, grant_id)


def transaction_from_row(row: Sequence[Any]) -> Transaction:
    """The transaction in TRANSACTION_COLUMNS."""
    digest, browser_digest, text, *rest = row
    fields = json.loads(text)
    request = AuthorizationRequest(**{**fields, "scopes": scope.parse(fields["scopes"])})
    return Transaction(digest, browser_digest, request, *rest)


def _consume(db: sqlite3.Connection, digest: str, now: float, grant_id: str | None = None) -> bool:
    taken = db.execute(
        "UPDATE transactions SET decided_at = ?1, grant_id = ?2"
        " WHERE digest = ?3 AND decided_at IS NULL AND expires_at > ?1",
        (now, grant_id, digest),
    )
    return taken.rowcount > 0


def _approve(
    db: sqlite3.Connection,
    transaction_digest: str,
    grant: Grant,
    code: AuthorizationCode,
    now: float,
    remember: RememberedConsent | None,
    rest_on: RememberedConsent | None,
) -> bool:
    if rest_on is not None and not stands(db, rest_on, now):
        return False
    if not may_be_given(db, grant) or not _consume(db, transaction_digest, now, grant.grant_id):
        return False
    give(db, grant, None, now)
    insert_code(db, code)
    if remember is not None:
        insert_consent(db, remember)
    return True


def insert_code(
    db: sqlite3.Connection, code: AuthorizationCode, used_at: float | None = None, wrong_verifiers: int = 0
) -> None:
    """Inserts a code and what has become of it."""
    db.execute(
        "INSERT INTO codes (digest, grant_id, redirect_uri, code_challenge, expires_at, nonce, key_thumbprint, used_at,"
        " wrong_verifiers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*astuple(code), used_at, wrong_verifiers),
    )


def _code(db: sqlite3.Connection, digest: str) -> LoadedCode | None:
    row = db.execute(
        f"SELECT {CODE_COLUMNS}, {GRANT_COLUMNS} FROM codes JOIN grants USING (grant_id) WHERE digest = ?",
        (digest,),
    ).fetchone()
    return LoadedCode(AuthorizationCode(*row[:_CODE_FIELDS]), grant_from_row(row[_CODE_FIELDS:])) if row else None


def _redeem(
    db: sqlite3.Connection, digest: str, refresh: RefreshToken | None, now: float, key_thumbprint: str | None
) -> Redeemed | Reused | Gone:
    row = db.execute(
        "SELECT grant_id, codes.expires_at, used_at, wrong_verifiers, revoked_at IS NULL AND EXISTS"
        " (SELECT 1 FROM users JOIN memberships USING (user_id)"
        " WHERE users.user_id = grants.user_id AND disabled_at IS NULL AND workspace = grants.tenant)"
        " FROM codes JOIN grants USING (grant_id) WHERE digest = ?",
        (digest,),
    ).fetchone()
    if row is None:
        return Gone()
    grant_id, expires_at, used_at, wrong_verifiers, allowed = row
    if used_at is not None:
        # RFC 6749 §4.1.2: "the authorization server [...] SHOULD revoke (when possible) all tokens previously issued"
        revoke(db, now, grant_id=grant_id)
        return Reused()
    if not allowed or now >= expires_at or wrong_verifiers >= MAX_WRONG_VERIFIERS:
        return Gone()
    db.execute("UPDATE codes SET used_at = ? WHERE digest = ?", (now, digest))
    if refresh is not None:
        begin_family(db, refresh, key_thumbprint)
    return Redeemed()


def _count_wrong_verifier(db: sqlite3.Connection, digest: str) -> None:
    db.execute("UPDATE codes SET wrong_verifiers = wrong_verifiers + 1 WHERE digest = ? AND used_at IS NULL", (digest,))
