"""What is particular to a store in a file."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from auth_server.adapters.sqlite_store.migrations import known_version
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.records import Record, StoredClient
from auth_server.ports.store import StoreUnavailable, UnusableStore
from tests.auth_server.flows.world import ok, open_world
from tests.auth_server.stores.test_contract import CLIENT, NOW, USER
from tests.auth_server.stores.test_races import ROOT

pytestmark = pytest.mark.anyio

_WRITE_FOR_EVER = """
import asyncio, itertools, sys
from dataclasses import replace
from pathlib import Path
from tests.auth_server.stores.test_contract import CLIENT
from auth_server.adapters.sqlite_store.store import SqliteStore
async def main():
    store = SqliteStore.open(Path(sys.argv[1]))
    for n in itertools.count():
        await store.add_client(replace(CLIENT, client_id=f"client_{n}"))
        print(n, flush=True)
asyncio.run(main())
"""


def _write_until_killed(path: Path) -> int:
    """The number of the last write that a process acknowledged before SIGKILL ended it in the middle of the next."""
    command = [sys.executable, "-c", _WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 50:
                break
        os.kill(writer.pid, signal.SIGKILL)
        return max([50, *(int(line) for line in writer.stdout if line.endswith("\n"))])


def test_file_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "auth.sqlite"
    store = SqliteStore.open(path)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    store.close()
    assert set(modes) >= {"auth.sqlite", "auth.sqlite-wal"}
    assert set(modes.values()) == {0o600}


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "auth.sqlite"
    acknowledged = _write_until_killed(path)
    store = SqliteStore.open(path)
    try:
        names = {client.client_id for client in await store.clients()}
        assert {f"client_{n}" for n in range(acknowledged + 1)} <= names
        assert all(len(client.secrets) == 1 for client in await store.clients())
        await store.check()
    finally:
        store.close()


async def test_e14_a_locked_store_is_unavailable_and_nothing_is_used_up(tmp_path: Path) -> None:
    path = tmp_path / "auth.sqlite"
    async with open_world(path) as world:
        client = await world.register()
        tokens = await world.tokens(client.client_id)
        code = await world.code(client.client_id)
    impatient = SqliteStore.open(path, patience=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    try:
        async with open_world(path) as world:
            world.store = impatient
            world.__post_init__()
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                await world.refresh(client.client_id, tokens["refresh_token"])
            with pytest.raises(StoreUnavailable):
                await world.redeem(client.client_id, code)
            with pytest.raises(StoreUnavailable):
                await impatient.check()
            other.execute("ROLLBACK")
            await impatient.check()
            ok(await world.refresh(client.client_id, tokens["refresh_token"]))
            ok(await world.redeem(client.client_id, code))
    finally:
        other.close()
        impatient.close()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "auth.sqlite"
    SqliteStore.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UnusableStore, match=f"schema version 99, this server knows {known_version()}: upgrade"):
        SqliteStore.open(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database, but long enough to be looked at\n" * 100)
    foreign = tmp_path / "foreign"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    for path in (text, foreign, tmp_path / "missing" / "auth.sqlite", tmp_path):
        with pytest.raises(UnusableStore, match=path.name):
            SqliteStore.open(path)


async def test_reopening_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "auth.sqlite"
    store = SqliteStore.open(path)
    await store.add_client(CLIENT)
    store.close()
    store = SqliteStore.open(path)
    assert await store.client("client_a") == CLIENT
    store.close()


async def test_records_are_those_of_one_moment(tmp_path: Path) -> None:
    """Written to while they are read, a store tells what it held when the reading began."""
    store = SqliteStore.open(tmp_path / "auth.sqlite")
    try:
        for n in range(1200):
            await store.add_client(replace(CLIENT, client_id=f"client_{n}"))
        seen: list[Record] = []
        async for record in store.records():
            if not seen:
                await store.add_user(USER)
                await store.delete_client("client_1199", NOW)
            seen.append(record)
        assert len(seen) == 1200
        assert all(isinstance(record, StoredClient) for record in seen)
    finally:
        store.close()


async def test_commits_reach_the_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "auth.sqlite")
    try:
        settings = await store._database.write(
            lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        )
        assert settings == ["wal", 2]
    finally:
        store.close()
