"""TPC-H over both emulators, as `make run` serves it, and a sample of it that is read one item at a time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import tpch
from deploy.local.demo_data import load_demo_data, schemas_file
from mcp_server.adapters.schemas_file import read
from mcp_server.domain.schema import Schema
from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import CREDENTIALS, Emulator, emulating

SAMPLED = {
    "orders": "o_orderkey % 50 = 1",
    "lineitem": "l_orderkey % 50 = 1",
    "part": "p_partkey % 20 = 0",
    "partsupp": "ps_partkey % 20 = 0",
    # Q22 asks for customers without an order.
    "customer": "c_custkey IN (SELECT o_custkey FROM orders WHERE o_orderkey % 50 = 1) OR c_custkey % 100 = 0",
}
"""Which rows of the large tables the sample has; with those of the small tables there are 2,400."""


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What botocore finds."""
    for variable, value in CREDENTIALS.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(scope="session")
def sample_files(tpch_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the sample's Parquet files."""
    directory = tmp_path_factory.mktemp("sample") / "tpch"
    directory.mkdir()
    with demo_data.oracle(tpch_files) as connection:
        for table in demo_data.TPCH_TABLES:
            rows = f"SELECT * FROM {table} WHERE {SAMPLED.get(table, 'true')}"
            connection.execute(f"COPY ({rows}) TO '{tpch.parquet_file(directory, table)}' (FORMAT parquet)")
    return directory


@pytest.fixture(scope="session")
def sample_tables(sample_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Emulator]]:
    """MiniStack with the sample or, for True, Dynoxide. Each starts when it is first asked for."""
    started: dict[bool, Emulator] = {}
    with ExitStack() as stack:

        def emulator(elsewhere: bool) -> Emulator:
            if elsewhere not in started:
                directory = tmp_path_factory.mktemp("sample-tables")
                made = stack.enter_context((dynoxide_serving if elsewhere else emulating)(directory))
                load_demo_data(made.endpoint_url, sample_files, lambda _table, _written, _total: None)
                started[elsewhere] = made
            return started[elsewhere]

        yield emulator


@pytest.fixture(scope="module")
def schema_of(
    demo_tables: DemoTables, demo_tables_elsewhere: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bool], Schema]:
    """The schema of `make run` over MiniStack or, for True, Dynoxide."""
    emulators = {False: demo_tables.emulator, True: demo_tables_elsewhere}
    return lambda elsewhere: schema_at(emulators[elsewhere], tmp_path_factory.mktemp("schemas"))


@pytest.fixture(scope="module")
def sample_schema_of(
    sample_tables: Callable[[bool], Emulator], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bool], Schema]:
    """The same over the sample."""
    return lambda elsewhere: schema_at(sample_tables(elsewhere), tmp_path_factory.mktemp("schemas"))


def schema_at(emulator: Emulator, directory: Path) -> Schema:
    """The schema that `make run` has over an emulator."""
    path = directory / "schemas.toml"
    path.write_text(schemas_file(emulator.endpoint_url))
    (schema,) = read(path).schemas
    return schema
