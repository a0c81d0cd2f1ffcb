"""Operating-system processes that write one audit trail: nothing is lost, and one that is killed breaks nothing."""

import math
from pathlib import Path

import anyio
import pytest

from auth_server.domain import audit
from auth_server.domain.audit import AuditEvent, EventName, Verification
from auth_server.flows.administration.audit import Audit
from tests.auth_server.flows.world import World, open_world
from tests.auth_server.stores.racer import TIMES
from tests.auth_server.stores.test_races import racing

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EACH = 5


async def verified(world: World) -> Verification:
    """What `auth-server audit verify` finds. Raises BrokenTrail."""
    reader = Audit(trail=world.store, clients=world.store, users=world.store, clock=world.clock)
    return await reader.verify({}, -math.inf)


async def told(world: World) -> list[str]:
    """The people of all events."""
    return [event.user_id async for batch in world.store.audit_batches() for event in batch.events()]


async def test_processes_write_one_trail(backend: str, tmp_path: Path) -> None:
    """Each event of 40 writers in two processes is there once, in a chain that is whole."""
    path = tmp_path / "store"
    async with open_world(path, backend=backend) as world:
        with racing(backend, path) as racers:
            assert racers.outcomes("tell", str(EACH)) == [EACH] * 2 * TIMES
        users = await told(world)
        assert len(users) == len(set(users)) == 2 * TIMES * EACH
        assert (await verified(world)).events == len(users)


async def test_a_process_that_is_killed_leaves_a_whole_trail(backend: str, tmp_path: Path) -> None:
    """SIGKILL in the middle of appending loses what that process had not written; the others go on."""
    path = tmp_path / "store"
    async with open_world(path, backend=backend) as world:
        with racing(backend, path) as racers:
            racers.begin("tell", "1000000")
            with anyio.fail_after(120):
                while (await world.store.audit_head()).sequence < 20:
                    await anyio.lowlevel.checkpoint()
            racers.kill_first()
            killed_at = (await world.store.audit_head()).sequence
            with anyio.fail_after(120):
                while (await world.store.audit_head()).sequence < killed_at + 20:
                    await anyio.lowlevel.checkpoint()
        users = await told(world)
        assert len(users) == len(set(users))
        assert (await verified(world)).batches > killed_at


async def test_a_trail_of_100000_events_is_verified(backend: str, tmp_path: Path) -> None:
    async with open_world(tmp_path / "store", backend=backend) as world:
        head = await world.store.audit_head()
        for number in range(400):
            events = [
                AuditEvent(time_ms=1000 * number, name=EventName.TOKENS_ISSUED, user_id=f"usr_{number}_{n}")
                for n in range(250)
            ]
            batch = audit.following(head, audit.packed(events, "writer"), 1000 * number)
            assert await world.store.append_audit(batch)
            head = batch.head
        found = await verified(world)
        assert (found.events, found.batches) == (100_000, 400)
