"""The demo data, loaded by the project's own loader, and DuckDB over the generated files as its oracle."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from deploy.local import tpch
from deploy.local.demo_data import TABLE_NAMES, load_demo_data
from tests.support.emulator import Emulator

TPCH_TABLES = tuple(table.name for table in tpch.TABLES)


@dataclass(frozen=True, slots=True)
class DemoTables:
    """An emulator that holds every demo table (`names`); nobody may change them. `files` has the Parquet files."""

    emulator: Emulator
    names: tuple[str, ...]
    files: Path


def generate(directory: Path) -> Path:
    """Generates the TPC-H files, one `<table>.parquet` each, and gives their directory."""
    tpch.generate(directory)
    return directory


def load(emulator: Emulator, files: Path) -> DemoTables:
    """Loads the demo data into an emulator."""
    load_demo_data(emulator.endpoint_url, files, lambda _table, _written, _total: None)
    return DemoTables(emulator, TABLE_NAMES, files)


def oracle(files: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with the TPC-H files as views of their tables' names."""
    connection = duckdb.connect()
    for table in TPCH_TABLES:
        path = tpch.parquet_file(files, table)
        connection.execute(f"create view {table} as from read_parquet('{path}')")
    return connection
