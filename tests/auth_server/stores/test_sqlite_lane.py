"""How functions for the database are brought together into transactions."""

import asyncio
import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth_server.adapters.sqlite_store.file import open_file
from auth_server.adapters.sqlite_store.health import Health
from auth_server.adapters.sqlite_store.lane import MAX_BATCH, MAX_WAITING, Lane
from auth_server.ports.store import StoreUnavailable

_WORK = bytes(1 << 18)


class Traced:
    """A lane that writes, and the transactions that it has begun."""

    def __init__(self, path: Path) -> None:
        opened = open_file(path, verify=False)
        opened.reader.close()
        opened.watcher.close()
        self.begun = 0
        opened.writer.set_trace_callback(self._note)
        self.lane = Lane(opened.writer, Health(opened.file), writes=True, patience=60.0)

    def _note(self, statement: str) -> None:
        self.begun += statement.startswith("BEGIN")

    async def after(self, turns: int) -> int:
        """The number of the transaction in which a function runs that is asked for after so many turns."""
        for _ in range(turns):
            hashlib.sha256(_WORK)  # lets the thread have the interpreter
            await asyncio.sleep(0)
        begun: int = await self.lane.run(lambda _db: self.begun)
        return begun


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    """A lane over a new file."""
    made = Traced(tmp_path / "auth.db")
    with contextlib.closing(made.lane):
        yield made


@pytest.mark.anyio
async def test_what_comes_turn_after_turn_shares_a_transaction(traced: Traced) -> None:
    """However soon the thread is ready: it sees nothing before the event loop has no more at hand."""
    async with asyncio.timeout(60):
        assert set(await asyncio.gather(*(traced.after(turns) for turns in range(16)))) == {1}
        assert await traced.after(0) == 2


@pytest.mark.slow
@pytest.mark.anyio
async def test_an_event_loop_that_is_never_done_holds_nobody_up(traced: Traced) -> None:
    """As many as make a batch go at once, and fewer after some turns."""
    async with asyncio.timeout(60):
        many = await asyncio.gather(*(traced.after(turns) for turns in range(2 * MAX_BATCH)))
    assert len(set(many)) >= 2
    assert many == sorted(many)


@pytest.mark.anyio
async def test_more_than_may_wait_are_turned_away_at_once(traced: Traced) -> None:
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(traced.after(0) for _ in range(MAX_WAITING + 3)), return_exceptions=True)
    assert sum(isinstance(outcome, StoreUnavailable) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, int) for outcome in outcomes) == MAX_WAITING


def test_an_event_loop_that_ends_with_its_question_unasked_is_in_nobodys_way(traced: Traced) -> None:
    async def give_up() -> None:
        asked = asyncio.ensure_future(traced.after(0))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})

    asyncio.run(give_up())
    assert asyncio.run(asyncio.wait_for(traced.after(0), 60)) == 1


def test_what_has_been_asked_for_is_done_when_the_lane_closes(tmp_path: Path) -> None:
    made = Traced(tmp_path / "auth.db")
    done: list[sqlite3.Connection] = []

    async def ask_and_close() -> None:
        asked = asyncio.ensure_future(made.lane.run(done.append))
        await asyncio.sleep(0)
        await asyncio.to_thread(made.lane.close)
        await asked

    asyncio.run(asyncio.wait_for(ask_and_close(), 60))
    assert len(done) == 1
