"""What may be used once, or so many times: pushed requests, initial access tokens, marks. A model of every store."""

import copy
from dataclasses import dataclass, field
from typing import Any

from auth_server.ports.clients import Addition


@dataclass(slots=True)
class Once:
    """The state of a store, as far as it matters here."""

    now: float
    pushed: dict[str, tuple[float, str | None]] = field(default_factory=dict)
    """Until when each request is good, and the transaction that it has started."""
    tokens: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Until when each token is good, and for how many more registrations."""
    marks: dict[str, float] = field(default_factory=dict)

    def after(self, verb: str, arguments: tuple[Any, ...]) -> tuple["Once", Any]:
        """The state after a verb, and the verb's answer; this one stays as it is."""
        changed = copy.deepcopy(self)
        return changed, getattr(changed, verb)(*arguments)

    def start_pushed(self, name: str, transaction: str) -> bool:
        """See PushedRequestStore."""
        until, started = self.pushed[name]
        if started is None and self.now < until:
            self.pushed[name] = until, transaction
            return True
        return started == transaction

    def register(self, token: str) -> Addition:
        """See ClientStore."""
        until, left = self.tokens.get(token, (0.0, 0))
        if self.now >= until or left == 0:
            return Addition.NO_TOKEN
        self.tokens[token] = until, left - 1
        return Addition.ADDED

    def left(self, token: str) -> int:
        """For how many more registrations a token is good."""
        return self.tokens[token][1]

    def revoke_token(self, token: str) -> bool:
        """See InitialTokenStore."""
        return self.tokens.pop(token, None) is not None

    def use_once(self, name: str, seconds: float) -> bool:
        """See ReplayStore."""
        if self.now < self.marks.get(name, 0.0):
            return False
        self.marks[name] = self.now + seconds
        return True
