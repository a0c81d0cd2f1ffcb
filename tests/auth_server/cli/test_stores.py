"""`auth-server store`: copied, backed up and restored, whole or not at all."""

import asyncio
import contextlib
import json
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.audit import AuditBatch, EventName
from auth_server.ports.records import Record, StoredClient
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import write_key_file
from tests.auth_server.cli.command_line import CommandLine, assert_failed
from tests.auth_server.stores.full_store import everything, fill
from tests.auth_server.stores.test_contract import CLIENT, PUBLIC
from tests.support.store_servers import STORE_SERVERS

pytestmark = pytest.mark.slow


def filled(path: Path) -> list[Record]:
    """Fills the store at that path; gives its records."""

    async def fill_it() -> list[Record]:
        with contextlib.closing(SqliteStore.open(path)) as store:
            await fill(store)
            # More than a copy carries at a time.
            await store.restore([_client(n) for n in range(1200)])
            return await everything(store)

    return asyncio.run(fill_it())


def _client(n: int) -> Record:
    return StoredClient(replace(PUBLIC, client_id=f"dcr_{n}"), CLIENT.created_at, None)


def records(path: Path) -> list[Record]:
    """The records of the store at that path, but for what the trail says of these commands."""

    async def read() -> list[Record]:
        with contextlib.closing(SqliteStore.open(path)) as store:
            return await everything(store)

    return [record for record in asyncio.run(read()) if not (isinstance(record, AuditBatch) and deeds(record))]


def deeds(batch: AuditBatch) -> list[str]:
    """What operators did, as the batch tells."""
    administered = [event for event in batch.events() if event.name is EventName.ADMINISTERED]
    return [f"{event.facts['verb']} {event.facts['target']}: {event.facts['outcome']}" for event in administered]


def done_at(path: Path) -> list[str]:
    """What the trail of the store at that path says that operators did."""

    async def read() -> list[str]:
        with contextlib.closing(SqliteStore.open(path)) as store:
            return [deed async for batch in store.audit_batches() for deed in deeds(batch)]

    return asyncio.run(read())


def damage(path: Path, table: str) -> None:
    """Overwrites the pages of a table, which end whoever reads the store to its end."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_size)
        file.write(b"\xff" * page_size)


def url(path: Path) -> str:
    return f"sqlite://{path}"


def test_an_embedded_store_needs_no_preparation(run: CommandLine) -> None:
    prepared = run("store", "init", "--json")
    assert (prepared.status, prepared.document) == (0, {"made": False})
    assert "nothing to make" in run("store", "init").out


def test_a_copy_holds_everything(run: CommandLine) -> None:
    source, target = run.directory / "source.db", run.directory / "target.db"
    expected = filled(source)
    copied = run("store", "copy", url(source), url(target), "--json")
    assert (copied.status, copied.document) == (0, {"records": len(expected)})
    assert records(target) == expected
    assert records(source) == expected
    assert done_at(target) == ["copy store from sqlite: done"]
    assert done_at(source) == ["copy store to sqlite: done"]


@pytest.mark.parametrize("kind", sorted(STORE_SERVERS.keys() - {"sqlite"}))
def test_a_store_moves_to_a_server_and_back(run: CommandLine, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    source, back = run.directory / "source.db", run.directory / "back.db"
    expected = filled(source)
    with STORE_SERVERS[kind](run.directory / kind) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        place = server.environment["AUTH_STORE_URL"]
        assert run("store", "copy", url(source), place, "--json").document == {"records": len(expected)}
        assert_failed(run("store", "copy", url(source), place), "the store is not empty")
        # With the event about the copy.
        assert run("store", "copy", place, url(back), "--json").document == {"records": len(expected) + 1}
        made = run("store", "backup", str(run.directory / "backup.jsonl"), "--json")
        assert made.document["records"] == len(expected) + 2
    assert set(records(back)) == set(expected)


def test_a_copy_needs_an_empty_store_and_one_that_is_not(run: CommandLine) -> None:
    source, target = run.directory / "source.db", run.directory / "target.db"
    expected = filled(source)
    assert_failed(run("store", "copy", url(source), url(source)), "the store is not empty")
    assert_failed(run("store", "copy", url(target), url(target)), "nothing to copy")
    run("store", "copy", url(source), url(target))
    assert_failed(run("store", "copy", url(source), url(target)), "the store is not empty")
    assert records(target) == expected


def test_the_url_of_a_copy_can_be_kept_in_a_file(run: CommandLine) -> None:
    """A password never stands on the command line."""
    source, file = run.directory / "source.db", run.directory / "url"
    expected = filled(source)
    file.write_text(f"{url(source)}\n")
    file.chmod(0o600)
    run("store", "copy", f"@{file}", url(run.directory / "target.db"))
    assert records(run.directory / "target.db") == expected
    file.chmod(0o644)
    assert_failed(run("store", "copy", f"@{file}", url(run.directory / "other.db")), "chmod 600")
    refused = run("store", "copy", "redis://:hunter2@redis.internal/0", url(source))
    assert_failed(refused, "@FILE")
    assert "hunter2" not in refused.err


def test_no_server_starts_on_half_a_copy(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source cannot be read to its end: the target has people and clients, and lacks keys that it had."""
    source, target = run.directory / "source.db", run.directory / "target.db"
    expected = filled(source)
    damage(source, "used_once")
    assert_failed(run("store", "copy", url(source), url(target)), "cannot be read")
    assert 0 < len(records(target)) < len(expected)
    assert_failed(run("store", "copy", url(source), url(target)), "the store is not empty")
    monkeypatch.setenv("AUTH_STORE_URL", url(target))
    assert_failed(run("serve"), "the signing keys are gone from the store")


def test_a_backup_can_be_restored(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = filled(run.directory / "auth.db")
    file = run.directory / "backup.jsonl"
    made = run("store", "backup", str(file), "--json")
    assert (made.status, made.document) == (0, {"records": len(expected), "file": str(file)})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text("ascii").splitlines()]
    assert lines[0] == {"format": "auth-server store", "version": 1}
    assert len(lines) == len(expected) + 2
    monkeypatch.setenv("AUTH_STORE_URL", url(run.directory / "restored.db"))
    restored = run("store", "restore", str(file), "--json")
    assert (restored.status, restored.document) == (0, {"records": len(expected)})
    assert records(run.directory / "restored.db") == expected
    assert done_at(run.directory / "restored.db") == [f"restore store {file}: done"]
    assert done_at(run.directory / "auth.db") == [f"back up store {file}: done"]
    assert_failed(run("store", "restore", str(file)), "the store is not empty")


def test_a_backup_replaces_no_file(run: CommandLine) -> None:
    filled(run.directory / "auth.db")
    file = run.directory / "backup.jsonl"
    file.write_text("precious")
    assert_failed(run("store", "backup", str(file)), "exists")
    assert file.read_text() == "precious"
    assert_failed(run("store", "backup", str(run.directory / "nowhere" / "backup")), "No such file or directory")


def test_an_empty_store_makes_no_backup(run: CommandLine) -> None:
    file = run.directory / "backup.jsonl"
    assert_failed(run("store", "backup", str(file)), "nothing to copy")
    assert [each.name for each in run.directory.glob("backup*")] == []


def test_a_backup_that_is_interrupted_leaves_nothing(run: CommandLine) -> None:
    filled(run.directory / "auth.db")
    damage(run.directory / "auth.db", "used_once")
    assert_failed(run("store", "backup", str(run.directory / "backup.jsonl")), "cannot be read")
    assert [each.name for each in run.directory.glob("backup*")] == []


def test_a_backup_that_was_killed_is_made_anew(run: CommandLine) -> None:
    """It left its part, which others may have been able to read."""
    expected = filled(run.directory / "auth.db")
    part, file = run.directory / "backup.jsonl.part", run.directory / "backup.jsonl"
    part.write_text("half" * 100_000)
    part.chmod(0o644)
    assert run("store", "backup", str(file), "--json").document["records"] == len(expected)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not part.exists()
    assert "half" not in file.read_text()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[: len(text) // 2], "its end is missing"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "its end is missing"),
        (lambda text: text.replace('"ada@example.com"', '"eve@example.com"', 1), "another master key, or has been"),
        (lambda text: text.replace('"version": 1', '"version": 2', 1), "version 2, this server knows 1"),
        (lambda text: "", "is not a backup"),
        (lambda text: "[1]\n", "is not a backup"),
        (lambda text: '{"format": "other"}\n', "is not a backup"),
        (lambda text: "\x00\x01garbage", "is not a backup"),
    ],
    ids=["half", "no-end", "changed", "newer", "empty", "list", "other", "garbage"],
)
def test_a_file_that_is_no_whole_backup_of_ours_restores_nothing(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[str], str], words: str
) -> None:
    filled(run.directory / "auth.db")
    file = run.directory / "backup.jsonl"
    run("store", "backup", str(file))
    file.write_text(spoil(file.read_text("ascii")))
    monkeypatch.setenv("AUTH_STORE_URL", url(run.directory / "restored.db"))
    assert_failed(run("store", "restore", str(file)), words, str(file))
    assert not (run.directory / "restored.db").exists()


def test_a_backup_of_another_master_key_is_refused(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signing keys could not be opened."""
    filled(run.directory / "auth.db")
    file, other = run.directory / "backup.jsonl", run.directory / "other.key"
    run("store", "backup", str(file))
    write_key_file(other, SystemEntropy().bytes(32))
    monkeypatch.setenv("AUTH_MASTER_KEY_FILE", str(other))
    monkeypatch.setenv("AUTH_STORE_URL", url(run.directory / "restored.db"))
    assert_failed(run("store", "restore", str(file)), "another master key")
    assert_failed(run("store", "restore", str(run.directory / "missing")), "No such file or directory")
