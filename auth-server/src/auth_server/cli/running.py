"""Runs one of the operator's verbs on the configured store, which a server may have open."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from auth_server import app
from auth_server.flows.administration.keys import Keys
from auth_server.flows.administration.verbs import Administration
from auth_server.settings import Settings
from shared_kernel import logs

T = TypeVar("T")


def administer(action: Callable[[Administration], Awaitable[T]]) -> T:
    """The outcome of a verb about people or clients."""

    async def act(settings: Settings) -> T:
        async with app.administration(settings) as administration:
            return await action(administration)

    return with_settings(act)


def with_keys(action: Callable[[Keys], Awaitable[T]]) -> T:
    """The outcome of a verb about signing keys, which needs the master key."""

    async def act(settings: Settings) -> T:
        async with app.key_administration(settings) as keys:
            return await action(keys)

    return with_settings(act)


def with_settings(action: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """The outcome of an action on what the settings name."""
    return run(action(Settings.load()))


def run(action: Coroutine[Any, Any, T]) -> T:
    """The outcome of an action that logs nothing: what goes wrong is told in one line."""
    logs.configure("auth-server", "CRITICAL")
    return asyncio.run(action)
