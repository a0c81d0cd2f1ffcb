"""Runs one of the operator's verbs on the configured store, which a server may have open."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from auth_server.app import operators
from auth_server.flows.administration.keys import Keys
from auth_server.flows.administration.operation import Operation
from auth_server.flows.administration.verbs import Administration
from auth_server.settings import Settings
from shared_kernel import logs
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.logs import REQUEST_ID
from shared_kernel.request_id import new_request_id

T = TypeVar("T")


def look(action: Callable[[Administration], Awaitable[T]]) -> T:
    """What there is about people or clients."""
    return _administer(action, None)


def change(verb: str, target: str | None, action: Callable[[Administration], Awaitable[T]]) -> T:
    """The outcome of a verb that changes something about people or clients, which goes into the audit trail.

    `target` names whom or what, without a secret; None stands for several.
    """
    return _administer(action, _operation(verb, target))


def look_at_keys(action: Callable[[Keys], Awaitable[T]]) -> T:
    """What there is about signing keys, which needs the master key."""
    return _with_keys(action, None)


def change_keys(verb: str, target: str, action: Callable[[Keys], Awaitable[T]]) -> T:
    """The outcome of a verb that changes signing keys, as of change()."""
    return _with_keys(action, _operation(verb, target))


def _administer(action: Callable[[Administration], Awaitable[T]], operation: Operation | None) -> T:
    async def act(settings: Settings) -> T:
        async with operators.administration(settings, operation) as administration:
            return await action(administration)

    return with_settings(act)


def _with_keys(action: Callable[[Keys], Awaitable[T]], operation: Operation | None) -> T:
    async def act(settings: Settings) -> T:
        async with operators.key_administration(settings, operation) as keys:
            return await action(keys)

    return with_settings(act)


def _operation(verb: str, target: str | None) -> Operation:
    return Operation(account(), verb, target or "all")


def account() -> str:
    """Who runs the command: the name of the process's user, whatever the environment says."""
    user_id = os.getuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:  # a container's user may have no name
        return str(user_id)


def with_settings(action: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """The outcome of an action on what the settings name."""
    return run(action(Settings.load()))


def run(action: Coroutine[Any, Any, T]) -> T:
    """The outcome of an action that logs nothing: what goes wrong is told in one line."""
    logs.configure("auth-server", "CRITICAL")
    REQUEST_ID.set(new_request_id(SystemClock().now(), SystemEntropy()))
    return asyncio.run(action)
