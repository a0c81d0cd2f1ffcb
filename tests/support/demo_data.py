"""The demo data, loaded by the project's own loader, and DuckDB over the generated files as its oracle."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from deploy.local import tpch
from deploy.local.demo_data import TABLE_NAMES, load_demo_data
from tests.support.emulator import Emulator, emulating
from tests.support.processes import REPOSITORY

TPCH_TABLES = tuple(table.name for table in tpch.TABLES)


@dataclass(frozen=True, slots=True)
class DemoTables:
    """An emulator that holds every demo table (`names`); nobody may change them. `files` has the Parquet files."""

    emulator: Emulator
    names: tuple[str, ...]
    files: Path


@contextmanager
def serving(directory: Path, cache: Path) -> Iterator[DemoTables]:
    """An emulator with the demo data, keeping its files in `directory`; `cache` keeps the data for the next one."""
    with _locked(cache):
        saved = cache / _fingerprint()
        if not saved.exists():
            shutil.rmtree(directory, ignore_errors=True)
            for outdated in cache.iterdir():
                if outdated.is_dir():
                    shutil.rmtree(outdated)
            _save(directory, saved)
        shutil.copytree(saved, directory, dirs_exist_ok=True)
    with emulating(directory, persistent=True) as emulator:
        assert _load(emulator, directory) == (), "what was saved is not what the loader would load"
        yield DemoTables(emulator, TABLE_NAMES, directory / "tpch")


def _save(directory: Path, saved: Path) -> None:
    directory.mkdir(parents=True)
    with emulating(directory, persistent=True) as emulator:
        _load(emulator, directory)
        emulator.server.stop()
    # The two may be on different file systems; what is saved is there as a whole or not at all.
    beside = saved.with_name(f"{saved.name}-{os.getpid()}")
    shutil.move(directory, beside)
    beside.rename(saved)


def _load(emulator: Emulator, directory: Path) -> tuple[str, ...]:
    return load_demo_data(emulator.endpoint_url, directory / "tpch", lambda _table, _written, _total: None)


def _fingerprint() -> str:
    """Changes with everything that decides what is saved: the data, the loader, and the emulator."""
    sources = [*(REPOSITORY / "deploy" / "local").glob("*.py"), REPOSITORY / "deploy" / "emulator.lock", Path(__file__)]
    content = b"".join(path.read_bytes() for path in sorted(sources))
    return hashlib.sha256(content).hexdigest()[:16]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def oracle(files: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with the TPC-H files as views of their tables' names."""
    connection = duckdb.connect()
    for table in TPCH_TABLES:
        path = tpch.parquet_file(files, table)
        connection.execute(f"create view {table} as from read_parquet('{path}')")
    return connection
