"""Tells other replicas what runs here, and hears what runs there, several times a second."""

from collections.abc import Mapping, Sequence

import anyio

from mcp_server.engine.admission import Admission
from mcp_server.ports.board import Board, BoardUnavailable, Load
from mcp_server.ports.spending import Owner

BEAT_SECONDS = 0.3
"""Between one exchange and the next."""


class Beats:
    """Tells other replicas of the queries here, and hears of theirs."""

    def __init__(self, admission: Admission, board: Board) -> None:
        self._admission, self._board = admission, board

    async def keep_exchanging(self) -> None:
        """Exchanges until it is cancelled, and then leaves nothing behind that counts."""
        try:
            async with anyio.create_task_group() as tasks:
                # Apart, since an exchange may take seconds where Redis hangs.
                tasks.start_soon(self._keep_reconsidering)
                while True:
                    await self.exchange()
                    await anyio.sleep(BEAT_SECONDS)
        finally:
            with anyio.move_on_after(BEAT_SECONDS, shield=True):
                await self._tell({})

    async def exchange(self) -> None:
        """Tells and hears once. While replicas cannot be heard, each goes on by itself."""
        heard = await self._tell(self._admission.tell())
        if heard is not None:
            self._admission.hear(heard)

    async def _tell(self, here: Mapping[Owner, Load]) -> Sequence[Mapping[Owner, Load]] | None:
        try:
            return await self._board.exchange(here)
        except BoardUnavailable:
            return None

    async def _keep_reconsidering(self) -> None:
        while True:
            await anyio.sleep(BEAT_SECONDS)
            self._admission.reconsider()
