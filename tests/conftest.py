"""Fixtures that tests of several packages share. Each starts its server once per session, when first asked for."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import demo_data
from tests.support.browser import Browser, browsing
from tests.support.demo_data import DemoTables
from tests.support.emulator import CREDENTIALS, Emulator, emulating
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving


def pytest_configure() -> None:
    """SIGTERM, as from a time limit, ends the run as Ctrl-C does, so that no server outlives it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


# A busy machine is slow, not wrong: Hypothesis judges properties here, not times.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, the loop of both services."""
    return "asyncio"


@pytest.fixture(scope="session")
def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where session-wide servers keep their state and logs."""
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def emulator(session_directory: Path) -> Iterator[Emulator]:
    """An empty emulator shared by the session: a test makes tables of its own names, and botocore finds credentials."""
    with pytest.MonkeyPatch.context() as environment, emulating(session_directory) as started:
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        yield started


@pytest.fixture(scope="session")
def tpch_files(session_directory: Path) -> Path:
    """The directory of the generated TPC-H files, `<table>.parquet`."""
    return demo_data.generate(session_directory / "tpch")


@pytest.fixture(scope="session")
def demo_tables(emulator: Emulator, tpch_files: Path) -> DemoTables:
    """The demo data in the session's emulator, loaded once; read-only for every test."""
    return demo_data.load(emulator, tpch_files)


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    """Where the session's pair of services is reached."""
    return Addresses()


@pytest.fixture(scope="session")
def auth_server(addresses: Addresses, session_directory: Path) -> Iterator[AuthServer]:
    """auth-server as a process, with a user and a confidential client; shared, so no test may stop it."""
    with auth_serving(addresses, session_directory) as started:
        yield started


@pytest.fixture(scope="session")
def mcp_server(
    addresses: Addresses, session_directory: Path, demo_tables: DemoTables, auth_server: AuthServer
) -> Iterator[McpServer]:
    """mcp-server as a process over the demo tables; shared, so no test may stop it."""
    with mcp_serving(addresses, session_directory, demo_tables.emulator.endpoint_url) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; every visit has cookies of its own."""
    with browsing() as started:
        yield started
