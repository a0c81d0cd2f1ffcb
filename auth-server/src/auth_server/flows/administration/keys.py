"""What the operator does about signing keys."""

import math
from collections.abc import Sequence

from auth_server.domain.signing_key import SealedKey
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.keys import KeyRing


class Keys:
    """The operator's verbs about signing keys. All raise CannotDo."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def all(self) -> Sequence[SealedKey]:
        """The published keys, oldest first."""
        return await self._ring.keys()

    async def rotate(self) -> str:
        """Signs with the next key from now on, and publishes another; gives the id of the active one."""
        wait = await self._ring.rotate()
        if wait is not None:
            raise CannotDo(Problem.KEY_TOO_NEW, retry_after=math.ceil(wait))
        return await self._active()

    async def revoke(self, key_id: str) -> str:
        """Withdraws a key, whatever its stage; gives the id of the one that is active then."""
        if not await self._ring.withdraw(key_id):
            raise CannotDo(Problem.NO_SUCH_KEY)
        return await self._active()

    async def _active(self) -> str:
        return (await self._ring.signing_key()).key_id
