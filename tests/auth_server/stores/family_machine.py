"""Several people, devices and clients at once: codes, device codes and families of refresh tokens."""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from auth_server.domain.client import Registration
from auth_server.domain.device import DEVICE_CODE_LIFETIME, DeviceAuthorization
from auth_server.domain.grant import Grant, RefreshToken, RefreshTokenKey
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.grants import Reused, Rotation
from auth_server.ports.store import Store
from tests.auth_server.stores.family_model import REFRESH_SECONDS, Families
from tests.auth_server.stores.machine import NUMBERS, Call, Machine
from tests.auth_server.stores.test_contract import CLIENT, CODE, GRANT, PUBLIC, TRANSACTION, USER


class FamilyMachine(Machine):
    """Codes, device codes and the refresh tokens that come of them, of two people and two clients."""

    CLIENTS = (CLIENT, replace(PUBLIC, client_id="client_b", registration=Registration.OPERATOR, tenant="default"))
    USERS = (USER, replace(USER, user_id="usr_b", email="bob@example.com"))

    def __init__(self) -> None:
        super().__init__()
        self.runner.run(self._populated())
        clients, users = {client.client_id for client in self.CLIENTS}, {user.user_id for user in self.USERS}
        self.states = [Families(self.now, clients, users)]
        self.redeemed: list[str] = []
        self.stolen: set[str] = set()

    async def _populated(self) -> None:
        for client in self.CLIENTS:
            await self.stores[0].add_client(client)
        for user in self.USERS:
            await self.stores[0].add_user(user)

    @rule(client=st.integers(0, 1), user=st.integers(0, 1), actors=st.integers(1, 3), rotations=st.integers(0, 3))
    def allow(self, client: int, user: int, actors: int, rotations: int) -> None:
        """A person allows something, on several impatient clicks perhaps, and the client may go on at once."""
        transaction = self.name()
        started = replace(TRANSACTION, digest=transaction, expires_at=self.now + 600)
        self.runner.run(self.stores[0].start_transaction(started))
        for state in self.states:
            state.transactions[transaction] = False
        allowed = self.CLIENTS[client].client_id, self.USERS[user].user_id
        answers = self.at_once([("approve", (transaction, self.name(), *allowed)) for _ in range(actors)])
        assert answers.count(True) <= 1
        if any(answers):
            for doing in ["redeem", "rotate", "rotate"][:rotations]:
                self._do([(doing, 0)])

    @rule(client=st.integers(0, 1))
    def ask_on_a_device(self, client: int) -> None:
        """A device asks for its codes."""
        device, client_id = self.name(), self.CLIENTS[client].client_id
        assert self.runner.run(self.stores[0].start_device(self._device(device, client_id)))
        for state in self.states:
            state.start_device(device, client_id)

    @rule(
        doings=st.lists(
            st.tuples(
                st.sampled_from(
                    ["redeem"] * 4 + ["rotate"] * 8 + ["replay"] * 3 + ["wrong_verifier", "revoke", "other_key"]
                    + ["delete_client", "disable", "enable", "enable"]
                ),
                NUMBERS,
            ),
            min_size=1,
            max_size=4,
        )
    )  # fmt: skip
    def act(self, doings: list[tuple[str, int]]) -> None:
        """Up to four actors do something at once, often the same."""
        if not self.states[0].families:
            return  # a precondition would have what is drawn depend on who wins a race, which Hypothesis forbids
        self._do(doings)

    def _do(self, doings: Sequence[tuple[str, int]]) -> None:
        calls = [self._doing(doing, number) for doing, number in doings]
        for (verb, arguments), answer in zip(calls, self.at_once(calls), strict=True):
            if answer == Redeemed():
                self.redeemed.append(arguments[0])
            elif answer == Reused() and verb in {"redeem", "rotate"}:
                self.stolen.add(arguments[0])
        assert len(self.redeemed) == len(set(self.redeemed)), "a code was spent twice"

    @rule(
        doings=st.lists(
            st.tuples(st.sampled_from(["poll", "poll", "approve_device", "approve_device", "deny_device"]), NUMBERS),
            min_size=1,
            max_size=4,
        )
    )
    def decide(self, doings: list[tuple[str, int]]) -> None:
        """Devices poll while people decide."""
        devices = list(self.states[0].devices)
        if not devices:
            return
        calls: list[Call] = []
        for verb, number in doings:
            device = devices[-1 - number // 4 % len(devices)]
            more = (self.name(), self.USERS[number % 2].user_id) if verb == "approve_device" else ()
            calls.append((verb, (device, *more)))
        self.at_once(calls)

    @invariant()
    def store_and_model_agree(self) -> None:
        """Of each family one token lives at most; of one that was stolen from, none."""
        for grant in list(self.states[0].families) if self.states else ():
            family = self.states[0].families[grant]
            live, is_believed = self.runner.run(self._seen(grant, family.tokens[-3:]))
            assert len(live) <= 1
            assert not live or grant not in self.stolen
            self.observe(live, methodcaller("live", grant))
            self.observe(is_believed, methodcaller("is_believed", grant))

    async def _seen(self, grant: str, tokens: Sequence[str]) -> tuple[list[str], bool]:
        store = self.stores[1]
        live = [token for token in tokens if await store.live_refresh_token(self._key(grant, token), self.now)]
        return live, await store.grant_by_handle(f"handle of {grant}", self.now) is not None

    def _doing(self, doing: str, number: int) -> Call:
        families = self.states[0].families
        grant = list(families)[-1 - number // 4 % min(2, len(families))]
        family = families[grant]
        known = family.tokens
        match doing:
            case "redeem":
                return doing, (grant, self.name(), None)
            case "rotate" | "other_key" | "replay" if not known:
                return "redeem", (grant, self.name(), None)
            case "rotate" | "other_key":
                key = "another key" if doing == "other_key" else None
                return "rotate", (grant, known[-1], self.name(), f"request {number % 2 and number % 3}", key)
            case "replay":
                return "rotate", (grant, known[-1 - (1 + number % 3) % len(known)], self.name(), "request 0", None)
            case "wrong_verifier" | "revoke":
                return doing, (grant,)
            case "delete_client":
                return doing, (family.client,)
            case _:
                return doing, (family.user,)

    def _grant(self, grant: str, client: str, user: str) -> Grant:
        return replace(
            GRANT,
            grant_id=grant,
            handle=f"handle of {grant}",
            client_id=client,
            user_id=user,
            created_at=self.now,
            expires_at=self.now + 9000,
        )

    def _device(self, device: str, client_id: str) -> DeviceAuthorization:
        asked_at = self.now
        return DeviceAuthorization(
            device_id=device,
            digest=f"code of {device}",
            family=f"family of {device}",
            client_id=client_id,
            scopes=GRANT.scopes,
            resource=GRANT.resource,
            address="192.0.2.1",
            created_at=asked_at,
            expires_at=asked_at + DEVICE_CODE_LIFETIME,
        )

    def _key(self, grant: str, token: str) -> RefreshTokenKey:
        family = self.states[0].families.get(grant)
        by_device = family is not None and family.code_until is None
        return RefreshTokenKey(grant, f"family of {family.tokens[0][8:]}" if by_device else f"family of {grant}", token)

    def on_approve(self, store: Store, transaction: str, grant: str, client: str, user: str) -> Awaitable[bool]:
        code = replace(CODE, digest=f"code for {grant}", grant_id=grant, expires_at=self.now + 60)
        return store.approve(transaction, self._grant(grant, client, user), code, self.now)

    def on_redeem(self, store: Store, grant: str, first: str, key: str | None) -> Awaitable[Any]:
        refresh = RefreshToken(self._key(grant, first), self.now + REFRESH_SECONDS)
        return store.redeem(f"code for {grant}", refresh, self.now, key)

    def on_wrong_verifier(self, store: Store, grant: str) -> Awaitable[None]:
        return store.count_wrong_verifier(f"code for {grant}")

    def on_rotate(
        self, store: Store, grant: str, token: str, successor: str, request: str, key: str | None
    ) -> Awaitable[Any]:
        following = RefreshToken(self._key(grant, successor), self.now + REFRESH_SECONDS)
        return store.rotate(self._key(grant, token), Rotation(following, successor.encode(), request, key), self.now)

    def on_approve_device(self, store: Store, device: str, grant: str, user: str) -> Awaitable[bool]:
        client_id = self.states[0].devices[device].client
        return store.approve_device(self._asked(device), self._grant(grant, client_id, user), self.now)

    def on_deny_device(self, store: Store, device: str) -> Awaitable[bool]:
        return store.deny_device(device, self.now)

    def on_poll(self, store: Store, device: str) -> Awaitable[Any]:
        return store.poll_device(device, f"code of {device}", self.states[0].devices[device].client, self.now)

    def on_revoke(self, store: Store, grant: str) -> Awaitable[None]:
        return store.revoke_grant(grant, self.now)

    def on_delete_client(self, store: Store, client: str) -> Awaitable[bool]:
        return store.delete_client(client, self.now)

    def on_disable(self, store: Store, user: str) -> Awaitable[bool]:
        return store.disable_user(user, self.now)

    def on_enable(self, store: Store, user: str) -> Awaitable[bool]:
        return store.enable_user(user)

    def _asked(self, device: str) -> DeviceAuthorization:
        asked = self.states[0].devices[device]
        return replace(self._device(device, asked.client), expires_at=asked.until)
