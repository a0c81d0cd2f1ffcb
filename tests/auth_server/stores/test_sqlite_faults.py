"""The store's file lost, replaced, damaged, full, locked or open to others: nothing acknowledged is lost in silence."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server.adapters.signing_keys import KeysLost
from auth_server.adapters.sqlite_store.lane import MAX_BATCH, MAX_WAITING
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import StoreUnavailable, UnusableStore
from tests.auth_server.flows.world import open_world
from tests.auth_server.stores.test_contract import CLIENT, NOW, USER
from tests.auth_server.stores.test_races import ROOT

pytestmark = pytest.mark.anyio

FOR_EVER = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "auth.sqlite"


@contextlib.contextmanager
def opened(path: Path, patience: float = FOR_EVER) -> Iterator[SqliteStore]:
    """The store, which is closed at the end."""
    store = SqliteStore.open(path, patience=patience)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's transaction."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def _delete(path: Path) -> None:
    path.unlink()


def _move(path: Path, to: Path) -> None:
    path.replace(to)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_store_that_others_can_read_or_write_is_refused(path: Path, mode: int) -> None:
    SqliteStore.open(path).close()
    path.chmod(mode)
    with pytest.raises(UnusableStore, match=f"mode {mode:04o}.*chmod 600"):
        SqliteStore.open(path)


async def test_a_deleted_store_takes_no_writes_and_is_not_recreated(path: Path) -> None:
    with opened(path) as store:
        await store.add_client(CLIENT)
        _delete(path)
        with capture_logs() as logs:
            for write in (store.add_user(USER), store.check(), store.delete_client("client_a", NOW)):
                with pytest.raises(StoreUnavailable):
                    await write
        assert [line["event"] for line in logs] == ["store_file_displaced"]
    with pytest.raises(UnusableStore, match=r"is gone, but .*auth.sqlite.id shows that there was one"):
        SqliteStore.open(path)


def test_an_empty_file_in_place_of_a_store_is_refused(path: Path) -> None:
    SqliteStore.open(path).close()
    path.write_bytes(b"")
    with pytest.raises(UnusableStore, match="is gone"):
        SqliteStore.open(path)


async def test_a_store_that_comes_back_is_written_again(path: Path) -> None:
    with opened(path) as store:
        _move(path, path.with_name("moved"))
        with pytest.raises(StoreUnavailable):
            await store.add_user(USER)
        _move(path.with_name("moved"), path)
        assert await store.add_user(USER)


async def test_another_store_in_its_place_is_noticed(path: Path) -> None:
    SqliteStore.open(path.with_name("other")).close()
    with opened(path) as store:
        _move(path.with_name("other"), path)
        with pytest.raises(StoreUnavailable):
            await store.add_user(USER)
    # SQLite would mix the log of the one into the other.
    with pytest.raises(UnusableStore, match="has been replaced, but the write-ahead log"):
        SqliteStore.open(path)
    _delete(path.with_name(f"{path.name}-wal"))
    _delete(path.with_name(f"{path.name}-shm"))
    with pytest.raises(UnusableStore, match="is not the store that left"):
        SqliteStore.open(path)


def test_a_backup_can_be_restored(path: Path) -> None:
    SqliteStore.open(path).close()
    shutil.copy(path, path.with_name("backup"))
    _move(path.with_name("backup"), path)
    SqliteStore.open(path).close()


async def test_lost_keys_are_not_recreated(path: Path) -> None:
    async with open_world(path) as world:
        world.sql("DELETE FROM signing_keys")
    with pytest.raises(KeysLost):
        async with open_world(path):
            pass


def _damage(path: Path) -> None:
    """Overwrites the pages that hold the clients."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'clients'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_size)
        file.write(b"\xff" * page_size)


def test_a_damaged_store_is_not_served(path: Path) -> None:
    SqliteStore.open(path).close()
    _damage(path)
    with pytest.raises(UnusableStore, match="is damaged"):
        SqliteStore.open(path, verify=True)


async def test_a_store_that_shows_damage_takes_no_writes_until_a_restart(path: Path) -> None:
    SqliteStore.open(path).close()
    _damage(path)
    with opened(path) as store:
        await store.add_user(USER)
        with capture_logs() as logs, pytest.raises(StoreUnavailable):
            await store.clients()
        assert [(line["event"], line["code"], line["damaged"]) for line in logs] == [
            ("store_fault", "SQLITE_CORRUPT", True)
        ]
        for write in (store.add_user(replace(USER, user_id="usr_b", email="b@example.com")), store.check()):
            with pytest.raises(StoreUnavailable):
                await write


_CHECK_ON_A_FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import StoreUnavailable
from tests.auth_server.stores.test_contract import CLIENT
async def outcome(verb):
    try:
        await verb
        return "done"
    except StoreUnavailable:
        return "unavailable"
async def main():
    path = Path(sys.argv[1])
    store = SqliteStore.open(path)
    await store.check()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What a full disk does: no file grows any more.
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, hard))
    full = [await outcome(store.check()), await outcome(store.add_client(CLIENT))]
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    later = [await outcome(store.check()), str(await store.client("client_a")), await outcome(store.add_client(CLIENT))]
    store.close()
    print(full, later)
asyncio.run(main())
"""


def test_a_full_disk_shows_in_the_probe_and_changes_nothing(path: Path) -> None:
    command = [sys.executable, "-c", _CHECK_ON_A_FULL_DISK, str(path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "['unavailable', 'unavailable'] ['done', 'None', 'done']" in finished.stdout


async def test_waits_for_a_lock_do_not_add_up(path: Path) -> None:
    outcomes: list[int] = []

    async def write(n: int) -> None:
        with pytest.raises(StoreUnavailable):
            await store.add_client(replace(CLIENT, client_id=f"client_{n}"))
        outcomes.append(n)

    # One after the other, 200 waits of 1 s would take 200 s.
    with opened(path, patience=1.0) as store, locked(path), anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for n in range(200):
                group.start_soon(write, n)
    assert len(outcomes) == 200


async def test_once_a_wait_was_in_vain_nobody_waits(path: Path) -> None:
    with opened(path, patience=0.05) as store:
        with locked(path):
            with capture_logs() as logs, pytest.raises(StoreUnavailable):
                await store.add_client(CLIENT)
            assert [line["event"] for line in logs] == ["store_locked"]
            store._database._writer._patience = FOR_EVER
            with anyio.fail_after(30), pytest.raises(StoreUnavailable):
                await store.add_client(CLIENT)
        assert await store.client("client_a") is None
        await store.add_client(CLIENT)
        assert await store.client("client_a") == CLIENT


async def test_the_probe_does_not_wait_for_a_lock(path: Path) -> None:
    with opened(path) as store:
        with locked(path), anyio.fail_after(30), pytest.raises(StoreUnavailable):
            await store.check()
        await store.check()


async def test_a_queue_that_is_full_turns_away_at_once(path: Path) -> None:
    turned_away: list[int] = []
    done: list[int] = []
    surplus = 100

    async def write(n: int) -> None:
        try:
            await store.add_client(replace(CLIENT, client_id=f"client_{n}"))
            done.append(n)
        except StoreUnavailable:
            turned_away.append(n)

    with opened(path) as store:
        with locked(path), anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for n in range(MAX_BATCH + MAX_WAITING + surplus):
                    group.start_soon(write, n)
                while len(turned_away) < surplus:
                    await anyio.lowlevel.checkpoint()
                assert not done
                group.cancel_scope.cancel()
        # Whoever gave up while waiting is not served afterwards, except for those already in hand.
        await store.check()
        assert len(await store.clients()) <= MAX_BATCH


async def test_writes_that_wait_together_share_a_flush(path: Path) -> None:
    with opened(path) as store:
        statements: list[str] = []
        store._database._writer._connection.set_trace_callback(statements.append)
        async with anyio.create_task_group() as group:
            for n in range(200):
                group.start_soon(store.add_client, replace(CLIENT, client_id=f"client_{n}", secrets=()))
        assert len(await store.clients()) == 200
        assert statements.count("COMMIT") <= 20


async def test_one_that_fails_does_not_undo_its_neighbours(path: Path) -> None:
    failed: list[int] = []

    async def add(n: int) -> None:
        try:
            # Two have the same id, which no verb expects.
            await store.add_user(replace(USER, user_id=f"usr_{n % 19}", email=f"{n}@example.com"))
        except sqlite3.IntegrityError:
            failed.append(n)

    with opened(path) as store:
        with locked(path) as other:
            async with anyio.create_task_group() as group:
                for n in range(20):
                    group.start_soon(add, n)
                await anyio.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
        assert failed == [19]
        assert len(await store.users()) == 19
