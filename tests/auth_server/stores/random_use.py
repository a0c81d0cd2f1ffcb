"""Random use of a store: a few people and clients, and every verb in any order, as time passes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from auth_server.domain.client import ClientSecret, Registration
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import Grant, RefreshToken, RefreshTokenKey
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.revocation import Revoked
from auth_server.domain.signing_key import PUBLICATION_LEAD, KeyStage, SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Role, Workspace
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.devices import Approved
from auth_server.ports.grants import Rotated, Rotation
from auth_server.ports.store import Store
from shared_kernel.revocations import MEMORY
from tests.auth_server.stores.test_contract import CLIENT, CODE, CONSENT, GRANT, NOW, PUBLIC, TRANSACTION, USER

CLIENTS = (
    CLIENT,
    PUBLIC,
    replace(PUBLIC, client_id="https://app.example/c", registration=Registration.DOCUMENT, document_expires_at=NOW),
)
USERS = (USER, replace(USER, user_id="usr_b", email="bob@example.com"))
SPACES = ("acme", "globex", "initech")
WHERE = (DEFAULT_WORKSPACE.name, *SPACES)
PASSES = (0.5, 5.0, 30.0, 59.0, 61.0, 119.0)
LONG_PASSES = (121.0, 601.0, 3001.0, 3601.0, 9001.0, 90_000.0)
"""Seconds by which the time moves on, about the lifetimes of things."""
_SMALL = st.integers(0, 5)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["consent", "rotate", "rotate", "rotate", "wait"] * 5
            + ["approve", "redeem", "begin"] * 2
            + ["add_token", "invite", "invite", "tokens", "revoke_token"]
            + ["add_client", "update_client", "rotate_secret", "delete_client", "client", "clients"]
            + ["add_user", "disable", "enable", "delete_user", "set_password", "renew_password", "user", "users"]
            + ["sign_in", "session", "sessions", "sign_out", "deny", "transaction", "wrong_verifier"]
            + ["grants", "has_grant", "by_handle", "live", "revoked_at", "revoke", "revoke_by_handle"]
            + ["consented", "consented", "consents", "end_consents"]
            + ["add_workspace", "workspaces", "retitle_workspace", "remove_workspace", "join", "join", "leave"]
            + ["device", "poll", "poll", "approve_device", "deny_device", "fetch", "add_grant"]
            + ["ensure_keys", "promote", "withdraw", "keys", "attempt", "forget", "use_once", "sweep"]
        ),
        _SMALL,
        _SMALL,
    ),
    min_size=50,
    max_size=100,
)
"""What is done: a verb and two numbers that choose what it is about."""


@dataclass(slots=True)
class Use:
    """One use of one store. What a step is about follows from the steps before it."""

    store: Store
    now: float = NOW
    users: list[User] = field(default_factory=lambda: [*USERS])
    names: int = 0
    transactions: list[str] = field(default_factory=list)
    devices: list[DeviceAuthorization] = field(default_factory=list)
    grants: list[str] = field(default_factory=list)
    tokens: list[RefreshTokenKey] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Everybody is there, and somebody has begun to sign in."""
        for client in CLIENTS:
            await self.store.add_client(client)
        for user in self.users:
            await self.store.add_user(user)
        await self._begin(0, 0)
        await self._device(0, 0)
        await self._ensure_keys(0, 0)

    async def step(self, verb: str, one: int, two: int) -> Any:
        """The outcome of a step."""
        step: Callable[[int, int], Awaitable[Any]] = getattr(self, f"_{verb}")
        return await step(one, two)

    def _name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    async def _wait(self, one: int, two: int) -> None:
        self.now += PASSES[one] if two else LONG_PASSES[one]

    async def _sweep(self, one: int, two: int) -> None:
        await self.store.sweep(self.now)

    async def _add_client(self, one: int, two: int) -> Any:
        client = CLIENTS[one % 3]
        return await self.store.add_client(replace(client, name=f"Name {two}", created_at=self.now))

    async def _update_client(self, one: int, two: int) -> Any:
        return await self.store.update_client(replace(CLIENTS[one % 3], name=f"Updated {two}"))

    async def _rotate_secret(self, one: int, two: int) -> Any:
        secret = ClientSecret(self._name(), self.now)
        return await self.store.rotate_client_secret(CLIENTS[one % 3].client_id, secret, self.now + 60)

    async def _delete_client(self, one: int, two: int) -> Any:
        return await self.store.delete_client(CLIENTS[one % 3].client_id, self.now)

    async def _client(self, one: int, two: int) -> Any:
        return await self.store.client(CLIENTS[one % 3].client_id)

    async def _clients(self, one: int, two: int) -> Any:
        return list(await self.store.clients())

    async def _add_token(self, one: int, two: int) -> Any:
        if await self.store.initial_token(f"token{one}") is None:
            token = InitialToken(f"token{one}", "digest", "", two + 1, 0, self.now, self.now + 100 * (two + 1))
            await self.store.add_initial_token(token)

    async def _invite(self, one: int, two: int) -> Any:
        client_id = f"dcr_{self._name()}"
        client = replace(PUBLIC, client_id=client_id, registration_token=client_id, created_at=self.now)
        return await self.store.add_client(client, f"token{one}")

    async def _tokens(self, one: int, two: int) -> Any:
        return [token for token in await self.store.initial_tokens() if token.expires_at > self.now]

    async def _revoke_token(self, one: int, two: int) -> Any:
        token = await self.store.initial_token(f"token{one}")
        revoked = await self.store.revoke_initial_token(f"token{one}")
        return revoked if token and token.expires_at > self.now else None

    async def _add_workspace(self, one: int, two: int) -> Any:
        return await self.store.add_workspace(Workspace(SPACES[one % 3], f"Title {two}", self.now))

    async def _workspaces(self, one: int, two: int) -> Any:
        return list(await self.store.workspaces(SPACES[:two] if two else None))

    async def _retitle_workspace(self, one: int, two: int) -> Any:
        return await self.store.retitle_workspace(SPACES[one % 3], f"Another title {two}")

    async def _remove_workspace(self, one: int, two: int) -> Any:
        return await self.store.remove_workspace(SPACES[one % 3])

    async def _join(self, one: int, two: int) -> Any:
        membership = Membership(WHERE[two % 4], [*Role][2 - one // 2])
        return await self.store.set_membership(self.users[one % 2].user_id, membership, self.now)

    async def _leave(self, one: int, two: int) -> Any:
        return await self.store.end_membership(self.users[one % 2].user_id, WHERE[two % 4], self.now)

    async def _add_user(self, one: int, two: int) -> Any:
        user = replace(USERS[one % 2], user_id=f"usr_{self._name()}", created_at=self.now)
        if added := await self.store.add_user(user):
            self.users[one % 2] = user
        return added

    async def _disable(self, one: int, two: int) -> Any:
        return await self.store.disable_user(self.users[one % 2].user_id, self.now)

    async def _enable(self, one: int, two: int) -> Any:
        return await self.store.enable_user(self.users[one % 2].user_id)

    async def _delete_user(self, one: int, two: int) -> Any:
        return await self.store.delete_user(self.users[one % 2].user_id, self.now)

    async def _set_password(self, one: int, two: int) -> Any:
        return await self.store.set_password_hash(self.users[one % 2].user_id, f"hash {two % 2}")

    async def _renew_password(self, one: int, two: int) -> Any:
        return await self.store.renew_password_hash(self.users[one % 2].user_id, f"hash {two % 2}", "hash 0")

    async def _user(self, one: int, two: int) -> Any:
        user = self.users[one % 2]
        return await self.store.user(user.user_id), await self.store.user_by_email(user.email)

    async def _users(self, one: int, two: int) -> Any:
        return list(await self.store.users())

    async def _sign_in(self, one: int, two: int) -> Any:
        session = Session(self._name(), self.users[one % 2].user_id, self.now, self.now + 600)
        verified = [USER.password_hash, "hash 0", "hash 1"][two % 3]
        replaces = f"n{max(1, self.names - two)}" if two else None
        return await self.store.start_session(session, verified_hash=verified, replaces=replaces)

    async def _session(self, one: int, two: int) -> Any:
        return await self.store.session(f"n{max(1, self.names - one)}", self.now)

    async def _sessions(self, one: int, two: int) -> Any:
        return list(await self.store.sessions(self.now))

    async def _sign_out(self, one: int, two: int) -> Any:
        return await self.store.end_session(f"n{max(1, self.names - one)}")

    async def _begin(self, one: int, two: int) -> None:
        self.transactions.append(self._name())
        await self.store.start_transaction(
            replace(TRANSACTION, digest=self.transactions[-1], expires_at=self.now + 600)
        )

    async def _transaction(self, one: int, two: int) -> Any:
        return await self.store.transaction(self._transaction_of(one), self.now)

    async def _deny(self, one: int, two: int) -> Any:
        return await self.store.deny(self._transaction_of(one), self.now)

    async def _consent(self, one: int, two: int) -> Any:
        await self._begin(0, 0)
        return await self._approve(0, two), await self._redeem(0, 1)

    async def _approve(self, one: int, two: int) -> Any:
        grant = self._new_grant(CLIENTS[two % 3].client_id, self.users[two % 2].user_id, one)
        name = grant.grant_id
        code = replace(CODE, digest=f"code {name}", grant_id=name, expires_at=self.now + 60)
        consent = self._remembered(one, two)
        return await self.store.approve(
            self._transaction_of(one),
            grant,
            code,
            self.now,
            remember=consent if two < 3 else None,
            rest_on=await self.store.consent(consent.key, self.now) if two == 4 else None,
        )

    async def _device(self, one: int, two: int) -> Any:
        name = f"device {one % 3} {self.names // 10 if two else 0}"
        device = DeviceAuthorization(
            device_id=name,
            digest=f"code {self._name()}",
            family=f"family {name}",
            client_id=CLIENTS[two % 3].client_id,
            scopes=GRANT.scopes,
            resource=GRANT.resource,
            address="192.0.2.1",
            created_at=self.now,
            expires_at=self.now + 600,
        )
        started = await self.store.start_device(device)
        if started:
            self.devices.append(device)
        return started, await self.store.device(name, self.now)

    async def _poll(self, one: int, two: int) -> Any:
        device = self._some_device(one)
        client_id = device.client_id if two else CLIENTS[one % 3].client_id
        return await self.store.poll_device(device.device_id, device.digest, client_id, self.now)

    async def _approve_device(self, one: int, two: int) -> Any:
        device = self._some_device(one)
        grant = self._new_grant(device.client_id, self.users[two % 2].user_id, two)
        return await self.store.approve_device(device, grant, self.now)

    async def _deny_device(self, one: int, two: int) -> Any:
        return await self.store.deny_device(self._some_device(one).device_id, self.now)

    async def _fetch(self, one: int, two: int) -> Any:
        device = self._some_device(one)
        polled = await self.store.poll_device(device.device_id, device.digest, device.client_id, self.now)
        if not isinstance(polled, Approved):
            return polled
        successor = RefreshToken(RefreshTokenKey(polled.grant_id, device.family, self._name()), self.now + 3000)
        key = device.first_token(polled.grant_id).key
        rotation = Rotation(successor, successor.key.digest.encode(), f"request {two % 2}")
        return await self.store.refreshed_grant(key), await self.store.rotate(key, rotation, self.now)

    async def _add_grant(self, one: int, two: int) -> Any:
        grant = self._new_grant(CLIENTS[one % 3].client_id, self.users[two % 2].user_id, two)
        return await self.store.add_grant(grant, self.now)

    def _new_grant(self, client_id: str, user_id: str, where: int) -> Grant:
        name = self._name()
        self.grants.append(name)
        return replace(
            GRANT,
            tenant=WHERE[where % 4],
            grant_id=name,
            handle=f"handle {name}",
            client_id=client_id,
            user_id=user_id,
            created_at=self.now,
            expires_at=self.now + 9000,
        )

    def _some_device(self, number: int) -> DeviceAuthorization:
        return self.devices[-1 - number % len(self.devices)]

    def _remembered(self, one: int, two: int) -> RememberedConsent:
        key = replace(
            CONSENT.key,
            user_id=self.users[two % 2].user_id,
            client_id=CLIENTS[two % 3].client_id,
            workspace=WHERE[one % 4],
        )
        return replace(CONSENT, key=key, given_at=self.now, expires_at=self.now + 4000)

    async def _consented(self, one: int, two: int) -> Any:
        return await self.store.consent(self._remembered(one, two).key, self.now)

    async def _consents(self, one: int, two: int) -> Any:
        return list(await self.store.consents(self.users[one % 2].user_id, self.now))

    async def _end_consents(self, one: int, two: int) -> Any:
        user_id = self.users[one % 2].user_id if two else None
        return await self.store.end_consents(CLIENTS[two % 3].client_id, user_id)

    async def _wrong_verifier(self, one: int, two: int) -> None:
        for _ in range(1 + two % 3):
            await self.store.count_wrong_verifier(f"code {self._grant(one)}")

    async def _redeem(self, one: int, two: int) -> Any:
        first = RefreshToken(self._new_key(self._grant(one)), self.now + 3000) if two else None
        outcome = await self.store.redeem(f"code {self._grant(one)}", first, self.now)
        if first and isinstance(outcome, Redeemed):
            self.tokens.append(first.key)
        return outcome

    async def _rotate(self, one: int, two: int) -> Any:
        grant_id = self._grant(one)
        known = [key for key in self.tokens if key.grant_id == grant_id]
        stranger = RefreshTokenKey(grant_id, f"family {grant_id}" if two % 2 else "none", "stranger")
        old = [stranger, *known][-1 - two % (len(known) + 1)]
        successor = RefreshToken(self._new_key(grant_id), self.now + 3000)
        rotation = Rotation(successor, successor.key.digest.encode(), f"request {two // 3}")
        outcome = await self.store.rotate(old, rotation, self.now)
        if isinstance(outcome, Rotated):
            self.tokens.append(successor.key)
        return outcome

    async def _grants(self, one: int, two: int) -> Any:
        return list(await self.store.grants(self.now, self.users[one % 2].user_id if two else None))

    async def _has_grant(self, one: int, two: int) -> Any:
        return await self.store.has_grant(self.users[one % 2].user_id, CLIENTS[two % 3].client_id, self.now)

    async def _by_handle(self, one: int, two: int) -> Any:
        return await self.store.grant_by_handle(f"handle {self._grant(one)}", self.now)

    async def _live(self, one: int, two: int) -> Any:
        known = [key for key in self.tokens if key.grant_id == self._grant(one)]
        return await self.store.live_refresh_token(known[-1 - two % len(known)], self.now) if known else None

    async def _revoked_at(self, one: int, two: int) -> Any:
        revoked, name = [
            (Revoked.GRANT, f"handle {self._grant(one)}"),
            (Revoked.CLIENT, CLIENTS[one % 3].client_id),
            (Revoked.USER, self.users[one % 2].user_id),
        ][two % 3]
        return await self.store.revoked_at(revoked, name, self.now - MEMORY)

    async def _revoke(self, one: int, two: int) -> None:
        await self.store.revoke_grant(self._grant(one), self.now)

    async def _revoke_by_handle(self, one: int, two: int) -> Any:
        client_id = [None, *(client.client_id for client in CLIENTS)][two % 4]
        return await self.store.revoke_grant_by_handle(f"handle {self._grant(one)}", client_id, self.now)

    async def _ensure_keys(self, one: int, two: int) -> Any:
        return list(await self.store.ensure_signing_keys(self._key(KeyStage.ACTIVE), self._key(KeyStage.NEXT)))

    async def _promote(self, one: int, two: int) -> Any:
        return await self.store.promote_next_key(self._key(KeyStage.NEXT, PUBLICATION_LEAD), self.now)

    async def _withdraw(self, one: int, two: int) -> Any:
        withdrawn = self.keys[-1 - one % len(self.keys)]
        return await self.store.withdraw_key(withdrawn, self._key(KeyStage.NEXT, PUBLICATION_LEAD), self.now)

    async def _keys(self, one: int, two: int) -> Any:
        return list(await self.store.signing_keys(self.now))

    async def _attempt(self, one: int, two: int) -> Any:
        return await self.store.count_attempt(f"limit {one % 2}", 2, 60.0, self.now - two / 4)

    async def _forget(self, one: int, two: int) -> None:
        await self.store.forget_attempts(f"limit {one % 2}")

    async def _use_once(self, one: int, two: int) -> Any:
        return await self.store.use_once(f"mark {one % 2}", self.now + PASSES[two], self.now)

    def _transaction_of(self, number: int) -> str:
        return self.transactions[-1 - number % len(self.transactions)]

    def _grant(self, number: int) -> str:
        return self.grants[-1 - number % min(3, len(self.grants))] if self.grants else "nobody's"

    def _new_key(self, grant_id: str) -> RefreshTokenKey:
        return RefreshTokenKey(grant_id, f"family {grant_id}", self._name())

    def _key(self, stage: KeyStage, lead: float = 0.0) -> SealedKey:
        self.keys.append(self._name())
        return SealedKey(self.keys[-1], stage, "{}", b"sealed", self.now, self.now + lead)
