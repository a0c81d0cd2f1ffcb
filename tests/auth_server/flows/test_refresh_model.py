"""Refresh families against a model, in sequences that nobody thought of."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from auth_server.domain.grant import REPLAY_WINDOW
from tests.auth_server.flows.world import World, error, ok, open_world

pytestmark = pytest.mark.slow


class RefreshFamily(RuleBasedStateMachine):
    """One family. The model: its tokens in order, when each was rotated, and what that rotation answered."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.tokens: list[str] = []
        self.rotations: list[tuple[float, str | None, dict[str, Any]]] = []
        self.revoked = False
        self.world: World
        self.client_id: str

    @initialize()
    def start(self) -> None:
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.world = await self.stack.enter_async_context(open_world(self.directory / "store"))
        self.client_id = (await self.world.register()).client_id
        tokens = await self.world.tokens(self.client_id, scope="query schemas:read")
        self.tokens = [tokens["refresh_token"]]

    @rule(age=st.integers(0, 3), scope=st.sampled_from([None, "query"]))
    def refresh(self, age: int, scope: str | None) -> None:
        """Uses the newest token, or one up to three rotations old."""
        index = max(0, len(self.tokens) - 1 - age)
        answer = self.runner.run(self.world.refresh(self.client_id, self.tokens[index], scope=scope))
        now = self.world.clock.now()
        if self.revoked:
            assert error(answer) == (400, "invalid_grant")
        elif index == len(self.tokens) - 1:
            body = ok(answer)
            assert body["scope"] == (scope or "schemas:read query")
            assert body["refresh_token"] not in self.tokens
            self.tokens.append(body["refresh_token"])
            self.rotations.append((now, scope, body))
        elif index == len(self.tokens) - 2 and now - self.rotations[index][0] < REPLAY_WINDOW:
            rotated_at, asked, body = self.rotations[index]
            if asked == scope:
                assert ok(answer) == {**body, "expires_in": 600 - int(now - rotated_at)}
            else:
                assert error(answer) == (400, "invalid_grant")
        else:
            assert error(answer) == (400, "invalid_grant")
            self.revoked = True

    @rule(seconds=st.sampled_from([1, REPLAY_WINDOW - 1, REPLAY_WINDOW]))
    def wait(self, seconds: int) -> None:
        self.world.clock.time += seconds

    @rule()
    def sweep(self) -> None:
        self.runner.run(self.world.store.sweep(self.world.clock.now()))

    @invariant()
    def one_token_is_alive(self) -> None:
        if self.tokens:
            unused = self.world.sql("SELECT count(refresh_digest) FROM grants")
            assert unused == [(1,)]

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.directory)


TestRefreshFamily = RefreshFamily.TestCase
TestRefreshFamily.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
