"""Several at once use what may be used once, or so many times."""

from collections.abc import Awaitable
from dataclasses import replace
from operator import methodcaller
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from auth_server.domain.authorization import PushedRequest
from auth_server.domain.initial_token import InitialToken
from auth_server.ports.store import Store
from tests.auth_server.stores.machine import NUMBERS, Call, Machine
from tests.auth_server.stores.once_model import Once
from tests.auth_server.stores.test_contract import CLIENT, PUBLIC, TRANSACTION


class OnceMachine(Machine):
    """Pushed requests, initial access tokens and marks of what was used."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [Once(self.now)]
        self.push()
        self.invite(2)

    @rule()
    def push(self) -> None:
        """A client pushes a request."""
        name, until = self.name(), self.now + 60
        self.runner.run(self.stores[0].push(PushedRequest(name, CLIENT.client_id, (("state", "x"),), until)))
        for state in self.states:
            state.pushed[name] = until, None

    @rule(uses=st.integers(1, 3))
    def invite(self, uses: int) -> None:
        """An operator makes a token."""
        name, until = self.name(), self.now + 300
        token = InitialToken(name, f"digest of {name}", "", uses, 0, self.now, until)
        self.runner.run(self.stores[0].add_initial_token(token))
        for state in self.states:
            state.tokens[name] = until, uses

    @rule(
        doings=st.lists(
            st.tuples(st.sampled_from(["start_pushed", "register", "register", "revoke_token", "use_once"]), NUMBERS),
            min_size=1,
            max_size=5,
        )
    )
    def act(self, doings: list[tuple[str, int]]) -> None:
        """Up to five actors use something at once."""
        self.at_once([call for doing in doings if (call := self._doing(*doing))])

    def _doing(self, doing: str, number: int) -> Call | None:
        state = self.states[0]
        if doing == "use_once":
            return doing, (f"mark {number % 2}", [30.0, 100.0][number // 4])
        if doing == "start_pushed":
            pushed = list(state.pushed)
            return (doing, (pushed[-1 - number % min(2, len(pushed))], self.name())) if pushed else None
        tokens = [name for name, (until, _) in state.tokens.items() if self.now < until]
        return (doing, (tokens[-1 - number % min(2, len(tokens))],)) if tokens else None

    @invariant()
    def what_is_used_stays_used(self) -> None:
        """A token tells how often it was used; a request, by whom."""
        for name in list(self.states[0].tokens) if self.states else ():
            if self.now < self.states[0].tokens[name][0]:
                token = self.runner.run(self.stores[1].initial_token(name))
                assert token is not None
                self.observe(token.max_uses - token.uses, methodcaller("left", name))

    def on_start_pushed(self, store: Store, name: str, transaction: str) -> Awaitable[bool]:
        started = replace(TRANSACTION, digest=transaction, expires_at=self.now + 600)
        return store.start_pushed(name, started, self.now)

    def on_register(self, store: Store, token: str) -> Awaitable[Any]:
        client_id = f"dcr_{self.name()}"
        client = replace(PUBLIC, client_id=client_id, registration_token=client_id, created_at=self.now)
        return store.add_client(client, token)

    def on_revoke_token(self, store: Store, token: str) -> Awaitable[bool]:
        return store.revoke_initial_token(token)

    def on_use_once(self, store: Store, name: str, seconds: float) -> Awaitable[bool]:
        return store.use_once(name, self.now + seconds, self.now)
