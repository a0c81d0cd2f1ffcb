"""The whole store in Redis, read a piece at a time.

It is no snapshot: of what changes meanwhile, some is in it and some is not. What refers to something missing is
left out.
"""

from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.redis_store.audit import RedisAudit
from auth_server.adapters.redis_store.authorization_fields import code_from, device_from, pushed_from, transaction_from
from auth_server.adapters.redis_store.client_fields import client_from
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import Fields, fields
from auth_server.adapters.redis_store.grant_fields import grant_from
from auth_server.adapters.redis_store.initial_tokens import initial_token_from
from auth_server.adapters.redis_store.key_fields import key_from
from auth_server.adapters.redis_store.people_fields import consent_from, session_from, user_from, workspace_from
from auth_server.adapters.redis_store.reading import pieces, read_all
from auth_server.adapters.redis_store.restoring import commands_for
from auth_server.adapters.redis_store.revocations import RedisRevocations
from auth_server.domain.grant import RefreshToken, RefreshTokenKey
from auth_server.ports.records import (
    AttemptWindow,
    DeletedClient,
    HadKeys,
    Record,
    ReplacedToken,
    StoredClient,
    StoredCode,
    StoredDevice,
    StoredGrant,
    StoredPushedRequest,
    StoredTransaction,
    UsedOnce,
)
from shared_kernel.clock import Clock


class RedisRecords:
    """Implements RecordStore."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def records(self) -> AsyncIterator[Record]:
        """See RecordStore."""
        if await self._database.run("had_keys") == b"1":
            yield HadKeys()
        for part in (
            self._workspaces,
            self._clients,
            self._people,
            self._authorizations,
            self._attempts_and_marks,
            self._keys,
        ):
            async for record in part():
                yield record

    async def _workspaces(self) -> AsyncIterator[Record]:
        async for found in read_all(self._database, "workspace"):
            yield workspace_from(found)

    async def _clients(self) -> AsyncIterator[Record]:
        async for found in read_all(self._database, "client"):
            yield StoredClient(client_from(found), float(found["last_used_at"]), _time(found, "used_at"))
        for client_id, deleted_at in fields(await self._database.run("deleted_clients")).items():
            yield DeletedClient(client_id, float(deleted_at))
        async for found in read_all(self._database, "initial-token"):
            yield initial_token_from(found)

    async def _people(self) -> AsyncIterator[Record]:
        user_ids = set()
        async for found in read_all(self._database, "user"):
            user_ids.add(found["user_id"])
            yield user_from(found)
        for user_id in await self._database.scan("user-consents"):
            if user_id.encode() in user_ids:
                for field, value in fields((await self._database.run("read", "user-consents", user_id))[0]).items():
                    yield consent_from(user_id, field, value)
        async for found in self._scanned("session"):
            if found["user_id"] in user_ids:
                yield session_from(found)

    async def _authorizations(self) -> AsyncIterator[Record]:
        async for found in self._scanned("pushed"):
            yield StoredPushedRequest(pushed_from(found), _text(found, "started_transaction"))
        async for found in self._scanned("transaction"):
            yield StoredTransaction(transaction_from(found), _time(found, "decided_at"), _text(found, "grant_id"))
        grant_ids = set()
        for piece in pieces(await self._database.scan("grant")):
            for reply, sealed in await self._database.run("grants", *piece):
                if reply:
                    grant = _grant(fields(reply), sealed)
                    grant_ids.add(grant.grant.grant_id)
                    yield grant
        async for found in self._scanned("code"):
            code = code_from(found)
            if code.grant_id in grant_ids:
                yield StoredCode(code, _time(found, "used_at"), int(found["wrong_verifiers"]))
        async for found in self._scanned("device"):
            yield StoredDevice(
                device_from(found),
                float(found["poll_interval"]),
                _time(found, "polled_at"),
                _time(found, "decided_at"),
                _text(found, "grant_id"),
            )

    async def _attempts_and_marks(self) -> AsyncIterator[Record]:
        async for found in self._scanned("attempts"):
            attempts = tuple(map(float, found["attempts"].split()))
            yield AttemptWindow(found["key"].decode(), attempts, float(found["ends_at"]))
        for piece in pieces(await self._database.scan("used")):
            for key, expires_at in zip(piece, await self._database.run("texts", "used", *piece), strict=True):
                if expires_at:
                    yield UsedOnce(key, float(expires_at))
        for revocation in await RedisRevocations(self._database).revocations(0):
            yield revocation
        async for batch in RedisAudit(self._database).audit_batches():
            yield batch

    async def _keys(self) -> AsyncIterator[Record]:
        for each in await self._database.run("signing_keys"):
            if each:
                yield key_from(fields(each))

    async def restore(self, records: Sequence[Record]) -> None:
        """See RecordStore."""
        now = self._clock.now()
        commands = [command for record in records for command in commands_for(record, self._database.key, now)]
        await self._database.run("apply", *(word for command in commands for word in (len(command), *command)))

    async def _scanned(self, kind: str) -> AsyncIterator[Fields]:
        for piece in pieces(await self._database.scan(kind)):
            for found in await self._database.run("read", kind, *piece):
                if found:
                    yield fields(found)


def _grant(found: Fields, sealed: bytes | None) -> StoredGrant:
    live = replaced = None
    grant = grant_from(found)
    if "refresh_digest" in found:
        key = RefreshTokenKey(grant.grant_id, found.get("family", b"").decode(), found["refresh_digest"].decode())
        live = RefreshToken(key, float(found["refresh_expires_at"]))
    if "previous_digest" in found:
        replaced = ReplacedToken(
            found["previous_digest"].decode(), float(found["rotated_at"]), found["rotation_request"].decode(), sealed
        )
    return StoredGrant(grant, live, replaced, _time(found, "revoked_at"))


def _time(found: Fields, name: str) -> float | None:
    return float(found[name]) if name in found else None


def _text(found: Fields, name: str) -> str | None:
    return found[name].decode() if name in found else None
