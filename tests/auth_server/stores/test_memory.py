"""What the SQLite store remembers: never a value that a change has overtaken."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from auth_server.adapters.sqlite_store.memory import ChangeCounter, Watched

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A file with a counter of changes."""
    with closing(sqlite3.connect(tmp_path / "store", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE store (changes INTEGER)")
        db.execute("INSERT INTO store VALUES (0)")
        yield db


@pytest.fixture
def watched(store: sqlite3.Connection, tmp_path: Path) -> Iterator[Watched[str, str]]:
    """Nothing remembered yet."""
    counter = ChangeCounter(sqlite3.connect(tmp_path / "store", isolation_level=None))
    yield Watched[str, str](counter, 2)
    counter.close()


async def _change(store: sqlite3.Connection) -> None:
    """Another process's change, before this one's next turn."""
    store.execute("UPDATE store SET changes = changes + 1")
    await anyio.lowlevel.checkpoint()


async def test_a_change_forgets_everything(store: sqlite3.Connection, watched: Watched[str, str]) -> None:
    watched.put("a", "old", watched.moment())
    assert watched.get("a") == "old"
    await _change(store)
    assert watched.get("a") is None


async def test_what_was_read_before_a_change_is_not_remembered(
    store: sqlite3.Connection, watched: Watched[str, str]
) -> None:
    moment = watched.moment()
    await _change(store)
    watched.put("a", "old", moment)
    assert watched.get("a") is None
    moment = watched.moment()
    await _change(store)
    watched.moment()  # another caller notices
    watched.put("a", "old", moment)
    assert watched.get("a") is None


async def test_a_counter_that_cannot_be_read_means_that_nothing_is_known(
    store: sqlite3.Connection, watched: Watched[str, str]
) -> None:
    watched.put("a", "old", watched.moment())
    store.execute("ALTER TABLE store RENAME TO gone")
    await anyio.lowlevel.checkpoint()
    assert watched.get("a") is None
    watched.put("a", "old", watched.moment())
    store.execute("ALTER TABLE gone RENAME TO store")
    await anyio.lowlevel.checkpoint()
    assert watched.get("a") is None


async def test_a_turn_of_the_event_loop_reads_the_counter_once(
    store: sqlite3.Connection, watched: Watched[str, str]
) -> None:
    watched.put("a", "old", watched.moment())
    store.execute("UPDATE store SET changes = changes + 1")
    assert watched.get("a") == "old"  # this turn's requests had come before the change was acknowledged
    await anyio.lowlevel.checkpoint()
    assert watched.get("a") is None
