"""What becomes of codes, device codes and families of refresh tokens, in a few plain fields: a model of every store.

Each verb answers as ports/ has it. Times stay within what a store remembers, so that nothing is ever forgotten here.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from auth_server.domain.authorization import CODE_LIFETIME, MAX_WRONG_VERIFIERS
from auth_server.domain.device import (
    DEVICE_CODE_LIFETIME,
    LONGEST_INTERVAL,
    POLL_INTERVAL,
    POLL_LENIENCE,
    SLOW_DOWN_SECONDS,
)
from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.devices import Approved, Denied, Expired, Pending, TooFast
from auth_server.ports.grants import Gone, OtherKey, Replay, ReplayDiffers, Reused, Rotated

REFRESH_SECONDS = 1000
"""How long an unused refresh token lives here."""


@dataclass(slots=True)
class Family:
    """One grant: its code if it has one, and its refresh tokens by name, oldest first."""

    client: str
    user: str
    code_until: float | None
    tokens: list[str] = field(default_factory=list)
    live_until: float = 0.0
    is_code_used: bool = False
    wrong_verifiers: int = 0
    rotated_at: float = 0.0
    request: str | None = None
    key: str | None = None
    is_revoked: bool = False


@dataclass(slots=True)
class Device:
    """One device authorization."""

    client: str
    until: float
    interval: float = POLL_INTERVAL
    polled_at: float | None = None
    is_decided: bool = False
    grant: str | None = None


@dataclass(slots=True)
class Families:
    """The state of a store, as far as it matters here."""

    now: float
    clients: set[str]
    users: set[str]
    disabled: set[str] = field(default_factory=set)
    transactions: dict[str, bool] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)

    def after(self, verb: str, arguments: tuple[Any, ...]) -> tuple["Families", Any]:
        """The state after a verb, and the verb's answer; this one stays as it is."""
        changed = copy.deepcopy(self)
        return changed, getattr(changed, verb)(*arguments)

    def approve(self, transaction: str, grant: str, client: str, user: str) -> bool:
        """See TransactionStore."""
        if client not in self.clients or not self._is_there(user) or self.transactions[transaction]:
            return False
        self.transactions[transaction] = True
        self.families[grant] = Family(client, user, self.now + CODE_LIFETIME)
        return True

    def redeem(self, grant: str, first: str, key: str | None) -> Any:
        """See CodeStore."""
        family = self.families.get(grant)
        if family is None or family.code_until is None:
            return Gone()
        if family.is_code_used:
            family.is_revoked = True
            return Reused()
        if not self._lives(family) or self.now >= family.code_until or family.wrong_verifiers >= MAX_WRONG_VERIFIERS:
            return Gone()
        family.is_code_used, family.key = True, key
        family.tokens, family.live_until = [first], self.now + REFRESH_SECONDS
        return Redeemed()

    def wrong_verifier(self, grant: str) -> None:
        """See CodeStore."""
        if family := self.families.get(grant):
            family.wrong_verifiers += not family.is_code_used

    def rotate(self, grant: str, token: str, successor: str, request: str, key: str | None) -> Any:
        """See RefreshStore."""
        family = self.families.get(grant)
        if family is None or not self._lives(family):
            return Gone()
        if family.key not in {None, key}:
            return OtherKey()
        if not family.tokens:
            return Gone()
        if token == family.tokens[-1]:
            if self.now >= family.live_until:
                return Gone()
            family.tokens.append(successor)
            family.live_until, family.rotated_at = self.now + REFRESH_SECONDS, self.now
            family.request, family.key = request, key
            return Rotated()
        # Whatever else shows that it is of the family is taken for a token of long ago.
        if token in family.tokens[-2:] and self.now - family.rotated_at < REPLAY_WINDOW:
            return Replay(family.tokens[-1].encode()) if request == family.request else ReplayDiffers()
        family.is_revoked = True
        return Reused()

    def approve_device(self, device: str, grant: str, user: str) -> bool:
        """See DeviceStore."""
        asked = self.devices[device]
        if asked.client not in self.clients or not self._is_there(user) or not self._may_be_decided(asked):
            return False
        asked.is_decided, asked.grant = True, grant
        self.families[grant] = Family(asked.client, user, None, [f"code of {device}"], asked.until)
        return True

    def deny_device(self, device: str) -> bool:
        """See DeviceStore."""
        asked = self.devices[device]
        may_be_decided = self._may_be_decided(asked)
        asked.is_decided = asked.is_decided or may_be_decided
        return may_be_decided

    def poll(self, device: str) -> Any:
        """See DeviceStore."""
        asked = self.devices[device]
        if asked.is_decided:
            return Denied() if asked.grant is None else Approved(asked.grant)
        if self.now >= asked.until:
            return Expired()
        is_early = asked.polled_at is not None and self.now - asked.polled_at < asked.interval - POLL_LENIENCE
        asked.polled_at = self.now
        if is_early:
            asked.interval = min(asked.interval + SLOW_DOWN_SECONDS, LONGEST_INTERVAL)
        return TooFast() if is_early else Pending()

    def revoke(self, grant: str) -> None:
        """See GrantStore."""
        if family := self.families.get(grant):
            family.is_revoked = True

    def delete_client(self, client: str) -> bool:
        """See ClientStore."""
        for family in self.families.values():
            family.is_revoked = family.is_revoked or family.client == client
        is_known = client in self.clients
        self.clients.discard(client)
        return is_known

    def disable(self, user: str) -> bool:
        """See UserStore."""
        self.disabled.add(user)
        return True

    def enable(self, user: str) -> bool:
        """See UserStore."""
        self.disabled.discard(user)
        return True

    def live(self, grant: str) -> list[str]:
        """The tokens of a grant that would be rotated now."""
        family = self.families[grant]
        return family.tokens[-1:] if self._lives(family) and self.now < family.live_until else []

    def is_believed(self, grant: str) -> bool:
        """Whether access tokens of the grant count."""
        family = self.families[grant]
        return self._lives(family) and family.client in self.clients

    def start_device(self, device: str, client: str) -> None:
        """See DeviceStore."""
        self.devices[device] = Device(client, self.now + DEVICE_CODE_LIFETIME)

    def _may_be_decided(self, asked: Device) -> bool:
        return not asked.is_decided and self.now < asked.until

    def _is_there(self, user: str) -> bool:
        return user in self.users and user not in self.disabled

    def _lives(self, family: Family) -> bool:
        return not family.is_revoked and self._is_there(family.user)
