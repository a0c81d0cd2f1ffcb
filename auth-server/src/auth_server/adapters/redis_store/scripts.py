"""The Lua scripts: lua/common.lua and one verb each, with the lifetimes that the domain defines."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from auth_server.domain import authorization, client, device, grant, signing_key, workspace
from shared_kernel import revocations

SLACK = 3600
"""Seconds that Redis keeps most keys beyond the time that verbs compare with: its clock is another."""
_CONSTANTS = {
    "SLACK": SLACK,
    "SEALED_SLACK": 60,
    "USED_SLACK": 60,
    "BATCH": 500,
    "PUSHED_LIFETIME": authorization.PUSHED_LIFETIME,
    "TRANSACTION_LIFETIME": authorization.TRANSACTION_LIFETIME,
    "USED_CODE_MEMORY": authorization.USED_CODE_MEMORY,
    "DEVICE_MEMORY": device.DEVICE_MEMORY,
    "POLL_LENIENCE": device.POLL_LENIENCE,
    "SLOW_DOWN_SECONDS": device.SLOW_DOWN_SECONDS,
    "LONGEST_INTERVAL": device.LONGEST_INTERVAL,
    "MAX_WRONG_VERIFIERS": authorization.MAX_WRONG_VERIFIERS,
    "REPLAY_WINDOW": grant.REPLAY_WINDOW,
    "REVOKED_GRANT_MEMORY": grant.REVOKED_GRANT_MEMORY,
    "MAX_NEVER_USED": client.MAX_NEVER_USED,
    "NEVER_USED_LIFETIME": client.NEVER_USED_LIFETIME,
    "DYNAMIC_LIFETIME": client.DYNAMIC_LIFETIME,
    "RETIRED_LIFETIME": signing_key.RETIRED_LIFETIME,
    "REVOCATION_MEMORY": revocations.MEMORY,
    "MAX_MEMBERSHIPS": workspace.MAX_MEMBERSHIPS,
    "DEFAULT_WORKSPACE": f"'{workspace.DEFAULT_WORKSPACE.name}'",
}
_ALONE = {"open"}
"""Scripts that run before there is a store."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the SHA-1 by which Redis knows it."""

    text: str
    sha: str


@cache
def scripts() -> Mapping[str, Script]:
    """All scripts by the name of their verb."""
    directory = resources.files("auth_server.adapters.redis_store") / "lua"
    texts = {file.name.removesuffix(".lua"): file.read_text("utf-8") for file in directory.iterdir()}
    constants = "".join(f"local {name} = {value}\n" for name, value in _CONSTANTS.items())
    common = constants + texts.pop("common")
    return {name: _script(text if name in _ALONE else common + text) for name, text in texts.items()}


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
