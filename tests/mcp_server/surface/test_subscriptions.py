"""Other replicas hear of a caller's scopes in the order in which the caller came with them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from mcp_server.ports.relay import Kind, Relayed
from mcp_server.surface.subscriptions import Subscriptions
from tests.mcp_server.surface.exchanges import PRINCIPAL

pytestmark = pytest.mark.anyio


class SlowRelay:
    """A Relay whose first message goes out late."""

    def __init__(self) -> None:
        self.ready, self.begun, self.sent = asyncio.Event(), list[Relayed](), list[Relayed]()

    async def send(self, message: Relayed) -> None:
        """See Relay."""
        self.begun.append(message)
        if len(self.begun) == 1:
            await self.ready.wait()
        self.sent.append(message)

    async def keep_hearing(self, _hear: Callable[[Relayed], None], _caught_up: Callable[[], Awaitable[None]]) -> None:
        """See Relay. It hears nothing."""


async def test_what_comes_later_is_told_later() -> None:
    relay = SlowRelay()
    subscriptions = Subscriptions(relay)
    with anyio.fail_after(10):
        for scopes in ({"a"}, {"a", "b"}, {"a", "b", "c"}):
            await subscriptions.notice(replace(PRINCIPAL, scopes=frozenset(scopes)))
        await subscriptions.notice(replace(PRINCIPAL, subject="usr_2"))
        while not relay.sent:
            await anyio.lowlevel.checkpoint()
        assert len(relay.begun) == 2, "one of each: nobody waits for somebody else"
        assert relay.sent == relay.begun[1:]
        relay.ready.set()
        while len(relay.sent) < 4:
            await anyio.lowlevel.checkpoint()

    assert relay.begun == [relay.sent[1], relay.sent[0], *relay.sent[2:]]
    assert {one.kind for one in relay.sent} == {Kind.SCOPES}
    assert len({one.body for one in (relay.begun[0], *relay.begun[2:])}) == 3
