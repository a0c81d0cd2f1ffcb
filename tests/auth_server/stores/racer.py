"""A process of its own in a race: opens a world, says "ready", waits for a line, acts 20 times at once, tells.

python -m tests.auth_server.stores.racer BACKEND PATH ACTION [ARGUMENT …]
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from tests.auth_server.flows.world import World, open_world

TIMES = 20


async def race(backend: str, path: str, action: str, *arguments: str) -> list[list[str]]:
    """The outcomes, as lists of strings."""
    if action == "open":
        await _started()
        async with open_world(Path(path), backend=backend) as world:
            return [[(await world.keys.signing_key()).key_id, *sorted(await world.keys.published_keys())]]
    async with open_world(Path(path), backend=backend) as world:
        act = _actions(world)[action]
        await _started()
        return await asyncio.gather(*(act(*arguments) for _ in range(TIMES)))


def _actions(world: World) -> dict[str, Callable[..., Awaitable[list[str]]]]:
    async def redeem(client_id: str, code: str) -> list[str]:
        answer = await world.redeem(client_id, code)
        return [str(answer.status)]

    async def refresh(client_id: str, refresh_token: str) -> list[str]:
        answer = await world.refresh(client_id, refresh_token)
        body = answer.body or {}
        return [str(answer.status), str(body.get("refresh_token")), str(body.get("access_token"))]

    return {"redeem": redeem, "refresh": refresh}


async def _started() -> None:
    print("ready", flush=True)  # noqa: T201 (the other end of a pipe reads it)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(json.dumps(asyncio.run(race(*sys.argv[1:]))), flush=True)  # noqa: T201 (as above)
