"""A process of its own in races: opens a world and says "ready"; for each line, acts 20 times at once and tells.

python -m tests.auth_server.stores.racer BACKEND PATH; a line is a JSON list of an action and its arguments.
python -m tests.auth_server.stores.racer BACKEND PATH open; opens the world only when the line comes.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from auth_server.domain.audit import EventName
from auth_server.domain.signing_key import PUBLICATION_LEAD, KeyStage, SealedKey
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.flows.world import World, open_world
from tests.auth_server.stores.test_contract import CLIENT, CODE, GRANT, TRANSACTION, USER
from tests.auth_server.stores.test_devices_contract import DEVICE

TIMES = 20
ATTEMPTS = 7
"""How many attempts the window of a race takes."""


async def race(backend: str, path: str) -> None:
    """Acts until there is no further line."""
    async with open_world(Path(path), backend=backend) as world:
        actions = _actions(world) | _device_actions(world) | _audit_actions(world)
        _tell("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            action, *arguments = json.loads(line)
            _tell(await asyncio.gather(*(actions[action](*arguments) for _ in range(TIMES))))


async def race_to_open(backend: str, path: str) -> None:
    """Tells the keys that the world has, the active one first."""
    _tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with open_world(Path(path), backend=backend) as world:
        _tell([(await world.keys.signing_key()).key_id, *sorted(await world.keys.published_keys())])


def _actions(world: World) -> dict[str, Callable[..., Awaitable[Any]]]:
    async def redeem(client_id: str, code: str) -> int:
        return (await world.redeem(client_id, code)).status

    async def refresh(client_id: str, refresh_token: str) -> list[Any]:
        answer = await world.refresh(client_id, refresh_token)
        body = answer.body or {}
        return [answer.status, body.get("refresh_token"), body.get("access_token")]

    async def approve(transaction: str, client_id: str, user_id: str) -> bool:
        name = _name()
        grant = replace(GRANT, grant_id=name, handle=f"h{name}", client_id=client_id, user_id=user_id)
        code = replace(CODE, digest=f"c{name}", grant_id=name)
        return await world.store.approve(transaction, grant, code, world.clock.now())

    async def deny(transaction: str) -> bool:
        return await world.store.deny(transaction, world.clock.now())

    async def start_pushed(digest: str) -> bool:
        transaction = replace(TRANSACTION, digest=_name(), expires_at=world.clock.now() + 600)
        return await world.store.start_pushed(digest, transaction, world.clock.now())

    async def use_once(key: str) -> bool:
        return await world.store.use_once(key, world.clock.now() + 60, world.clock.now())

    async def attempt(key: str) -> bool:
        return await world.store.count_attempt(key, ATTEMPTS, 60.0, world.clock.now()) is None

    async def promote() -> bool:
        now = world.clock.now()
        following = SealedKey(_name(), KeyStage.NEXT, "{}", b"", now, now + PUBLICATION_LEAD)
        return await world.store.promote_next_key(following, now) is None

    async def add_client(client_id: str, initial_token: str | None = None) -> str:
        added = replace(CLIENT, client_id=client_id or _name(), created_at=world.clock.now())
        return (await world.store.add_client(added, initial_token)).name

    async def add_user(email: str) -> bool:
        return await world.store.add_user(replace(USER, user_id=_name(), email=email))

    async def revoke(handle: str) -> bool:
        return await world.store.revoke_grant_by_handle(handle, None, world.clock.now())

    return {
        "redeem": redeem,
        "refresh": refresh,
        "approve": approve,
        "deny": deny,
        "start_pushed": start_pushed,
        "use_once": use_once,
        "attempt": attempt,
        "promote": promote,
        "add_client": add_client,
        "add_user": add_user,
        "revoke": revoke,
    }


def _device_actions(world: World) -> dict[str, Callable[..., Awaitable[Any]]]:
    decisions = itertools.count()

    async def poll(client_id: str, device_code: str) -> list[Any]:
        answer = await world.poll(client_id, device_code)
        body = answer.body or {}
        return [answer.status, body.get("refresh_token"), body.get("access_token")]

    async def decide_device(device_id: str, client_id: str, user_id: str) -> bool:
        """Approves and denies in turn."""
        now = world.clock.now()
        if next(decisions) % 2:
            return await world.store.deny_device(device_id, now)
        name, device = _name(), replace(DEVICE, device_id=device_id, client_id=client_id, expires_at=now + 600)
        grant = replace(GRANT, grant_id=name, handle=f"h{name}", client_id=client_id, user_id=user_id)
        return await world.store.approve_device(device, grant, now)

    return {"poll": poll, "decide_device": decide_device}


def _audit_actions(world: World) -> dict[str, Callable[..., Awaitable[Any]]]:
    async def tell(times: str) -> int:
        """Records so many events, each in a batch of its own unless others of this process are faster."""
        for _ in range(int(times)):
            world.trail.record(EventName.SIGNED_IN, user_id=_name())
            assert await world.trail.flush()
        return int(times)

    return {"tell": tell}


def _name() -> str:
    return SystemEntropy().token(128)


def _tell(outcome: Any) -> None:
    print(json.dumps(outcome), flush=True)  # noqa: T201 (the other end of a pipe reads it)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run((race_to_open if sys.argv[3:] == ["open"] else race)(*sys.argv[1:3]))
