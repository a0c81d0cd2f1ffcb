"""Runs one of the operator's verbs on the configured store, which a server may have open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auth_server import app
from auth_server.flows.administration.keys import Keys
from auth_server.flows.administration.verbs import Administration
from auth_server.settings import Settings
from shared_kernel import logs

T = TypeVar("T")


def administer(action: Callable[[Administration], Awaitable[T]]) -> T:
    """The outcome of a verb about people or clients."""

    async def run(settings: Settings) -> T:
        async with app.administration(settings) as administration:
            return await action(administration)

    return _run(run)


def with_keys(action: Callable[[Keys], Awaitable[T]]) -> T:
    """The outcome of a verb about signing keys, which needs the master key."""

    async def run(settings: Settings) -> T:
        async with app.key_administration(settings) as keys:
            return await action(keys)

    return _run(run)


def _run(action: Callable[[Settings], Awaitable[T]]) -> T:
    settings = Settings.load()
    logs.configure("auth-server", "CRITICAL")

    async def run() -> T:
        return await action(settings)

    return asyncio.run(run())
