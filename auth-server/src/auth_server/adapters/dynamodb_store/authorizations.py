"""Transactions and authorization codes in DynamoDB."""

from dataclasses import asdict

from auth_server.adapters.dynamodb_store.consents import consent_put, standing
from auth_server.adapters.dynamodb_store.giving import givable
from auth_server.adapters.dynamodb_store.grant_items import Owners, code_of, grant_items, grant_of, owners_of
from auth_server.adapters.dynamodb_store.grants import revoke
from auth_server.adapters.dynamodb_store.items import (
    Item,
    Key,
    code_key,
    expiring,
    grant_key,
    queue,
    transaction_key,
)
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import CHANGED, Put, Update, Write
from auth_server.adapters.remembered import Remembered
from auth_server.domain.authorization import (
    MAX_WRONG_VERIFIERS,
    USED_CODE_MEMORY,
    AuthorizationCode,
    AuthorizationRequest,
    Transaction,
)
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.ports.authorizations import Decided, LoadedCode, Redeemed
from auth_server.ports.grants import Gone, Reused
from shared_kernel import scope

KIND = "transaction"
_REMEMBERED = 1_000
"""Codes on their way to the client that need not be read again."""
_UNDECIDED = "attribute_not_exists(#decided_at) AND #expires_at > :now"


class DynamoDbAuthorizations:
    """Implements TransactionStore and CodeStore."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # Whether a code is used, burnt or late is redeem's to say; the rest of it never changes.
        self._codes = Remembered[str, tuple[LoadedCode, Owners]](_REMEMBERED)

    async def start_transaction(self, transaction: Transaction) -> None:
        """See TransactionStore."""
        async with self._table.in_time():
            await self._table.write(transaction_put(transaction))

    async def transaction(self, digest: str, now: float) -> Transaction | Decided | None:
        """See TransactionStore."""
        async with self._table.in_time():
            item = await self._table.get(transaction_key(digest))
            if item is None or item["expires_at"] <= now:
                return None
            transaction = transaction_of(item)
            decided_at = item.get("decided_at")
            return transaction if decided_at is None else Decided(transaction, decided_at, item.get("grant_id"))

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
        async with self._table.in_time():
            given = await givable(self._table, grant, now)
            if given is None:
                return False
            writes: list[Write] = [
                Update(
                    transaction_key(transaction_digest),
                    {"decided_at": now, "grant_id": grant.grant_id},
                    _UNDECIDED,
                    {"now": now},
                ),
                *given.uses,
                *grant_items(grant, given.owners, code=code),
            ]
            if remember is not None:
                writes.append(consent_put(remember, given.owners.membership_generation))
            if rest_on is not None:
                writes.append(standing(rest_on, given.owners.membership_generation, now))
            try:
                await self._table.transact(writes)
            except TransactionFailed:
                return False
            self._codes.put(code.digest, (LoadedCode(code, grant), given.owners))
            return True

    async def deny(self, transaction_digest: str, now: float) -> bool:
        """See TransactionStore."""
        async with self._table.in_time():
            call = self._table.new_name()
            decision = {"decided_at": now, "decided_by": call}
            try:
                await self._table.write(Update(transaction_key(transaction_digest), decision, _UNDECIDED, {"now": now}))
            except ConditionFailed as failed:
                return failed.met is not None and failed.met.get("decided_by") == call
            return True

    async def code(self, digest: str) -> LoadedCode | None:
        """See CodeStore."""
        async with self._table.in_time():
            known = await self._code(digest)
            return known[0] if known else None

    async def redeem(
        self, digest: str, refresh: RefreshToken | None, now: float, key_thumbprint: str | None = None
    ) -> Redeemed | Reused | Gone:
        """See CodeStore."""
        async with self._table.in_time():
            known = await self._code(digest)
            if known is None:
                return Gone()
            key, owners = grant_key(known[0].grant.grant_id), known[1]
            self._codes.forget(digest)
            if not await owners.are_there(self._table, enabled=True):
                return await self._unredeemed(await self._table.get(key), digest, None, now)
            call = self._table.new_name()
            try:
                await self._table.write(_redemption(key, digest, refresh, key_thumbprint, call, now))
            except ConditionFailed as failed:
                return await self._unredeemed(failed.met, digest, call, now)
            return Redeemed()

    async def count_wrong_verifier(self, digest: str) -> None:
        """See CodeStore."""
        async with self._table.in_time():
            known = await self._code(digest)
            if known is None:
                return
            try:
                await self._table.write(
                    Update(
                        grant_key(known[0].grant.grant_id),
                        {},
                        "#code_digest = :digest AND attribute_not_exists(#code_used_at)",
                        {"digest": digest},
                        add={"code_wrong_verifiers": 1, **CHANGED},
                    )
                )
            except ConditionFailed:
                return

    async def _code(self, digest: str) -> tuple[LoadedCode, Owners] | None:
        known = self._codes.get(digest)
        if known is not None:
            return known
        pointer = await self._table.get(code_key(digest))
        item = await self._table.get(grant_key(pointer["grant_id"])) if pointer else None
        if item is None or item.get("code_digest") != digest:
            return None
        return LoadedCode(code_of(item), grant_of(item)), owners_of(item)

    async def _unredeemed(
        self, met: Item | None, digest: str, call: str | None, now: float
    ) -> Redeemed | Reused | Gone:
        """What a code gives that cannot be redeemed now."""
        if met is None or met.get("code_digest") != digest or "code_used_at" not in met:
            return Gone()
        if call is not None and met.get("code_used_by") == call:
            return Redeemed()  # by this very call: its first request got through, only the answer was lost
        # RFC 6749 §4.1.2: "the authorization server [...] SHOULD revoke (when possible) all tokens previously issued"
        await revoke(self._table, met["grant_id"], now)
        return Reused()


def transaction_put(transaction: Transaction, decided_at: float | None = None, grant_id: str | None = None) -> Put:
    """Adds a transaction, and what has become of it."""
    key = transaction_key(transaction.digest)
    return Put(
        key,
        {
            "digest": transaction.digest,
            "browser_digest": transaction.browser_digest,
            "request": {**asdict(transaction.request), "scopes": scope.join(transaction.request.scopes)},
            "authenticated_since": transaction.authenticated_since,
            "expires_at": transaction.expires_at,
            "flow_id": transaction.flow_id or None,
            "decided_at": decided_at,
            "grant_id": grant_id,
            "queue": queue(KIND, key),
            **expiring(transaction.expires_at),
        },
    )


def transaction_of(item: Item) -> Transaction:
    """The transaction in an item."""
    fields = {"state": None, **item["request"]}
    request = AuthorizationRequest(**{**fields, "scopes": scope.parse(fields["scopes"])})
    return Transaction(
        item["digest"],
        item["browser_digest"],
        request,
        item["authenticated_since"],
        item["expires_at"],
        item.get("flow_id", ""),
    )


def _redemption(
    key: Key, digest: str, refresh: RefreshToken | None, key_thumbprint: str | None, call: str, now: float
) -> Update:
    changes: dict[str, object] = {"code_used_at": now, "code_used_by": call, "due": now + USED_CODE_MEMORY}
    if refresh is not None:
        changes |= {
            "family": refresh.key.family,
            "refresh_digest": refresh.key.digest,
            "refresh_expires_at": refresh.expires_at,
            "key_thumbprint": key_thumbprint,
        }
    return Update(
        key,
        changes,
        "#code_digest = :digest AND attribute_not_exists(#code_used_at) AND attribute_not_exists(#revoked_at)"
        " AND #code_expires_at > :now AND #code_wrong_verifiers < :burnt",
        {"digest": digest, "now": now, "burnt": MAX_WRONG_VERIFIERS},
        add=CHANGED,
    )
