"""Fixtures that tests of several packages share. Each starts its server once per session, when first asked for."""

import gc
import os
import re
import shutil
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from functools import cache
from pathlib import Path

import httpcore2
import httpx2
import hypothesis
import pytest
import structlog
from _pytest.nodeid import NodeId

from deploy.local.demo_data import load_demo_data
from tests.support import demo_data
from tests.support.browser import Browser, browsing
from tests.support.demo_data import DemoTables
from tests.support.document_host import DocumentHost, publishing
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import CREDENTIALS, Emulator, emulating
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving

SLOW_SECONDS = 300
"""How long a slow test may take on a busy machine, the start of its servers included."""
DEAR = ("demo_tables_elsewhere",)
"""Fixtures of the session that take half a minute to make: one worker has all tests that use one."""
ALL_SLOW = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)
"""What a module has whose tests are all slow."""
IN_MEMORY = Path("/dev/shm")
"""A file system in memory, where the system has one."""
ROOM = 4 << 30
"""Bytes that must be free there to keep the files of all tests; containers often have 64 MiB."""


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM, as from a time limit, ends the run as Ctrl-C does, so that no server outlives it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if _has_room(IN_MEMORY):
        # Thousands of tests write a store of their own; waiting for a disk is a third of what they would take. What a
        # killed process has written is there as it would be on a disk; no test cuts the power.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
    # As in the services, what is logged stays out of standard output, which some tests read.
    # Their exceptions stay plain: to draw one in a box, with colours, takes longer than most tests.
    *processors, _renderer = structlog.get_config()["processors"]
    structlog.configure(
        processors=[*processors, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # httpx gives up after 5 seconds unless told otherwise, which a busy machine can need for a good answer.
    patience = httpx2.Timeout(60)
    for phase in ("connect", "read", "write", "pool"):
        setattr(httpx2._config.DEFAULT_TIMEOUT_CONFIG, phase, getattr(patience, phase))
    # Tests make a client for nearly every request; each would read the system's certificates anew, for 25 ms.
    httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)


def _has_room(directory: Path) -> bool:
    """Whether tests can keep their files there, and programs among them."""
    if not os.access(directory, os.W_OK):
        return False
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves modules of slow tests alone when those are not wanted: to import them only to drop them takes seconds."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return True if ALL_SLOW.search(collection_path.read_text("utf-8")) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Searches for no garbage while modules are imported and tests collected: all of that stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keeps what is collected, thousands of tests and the modules they use, out of every later search for garbage."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Lets the libraries free at exit what they made while modules were imported, or some of them complain."""
    gc.unfreeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Prepares slow tests to run side by side (`-n 2 --dist loadgroup`).

    Tests that share a fixture of their module, or a dear one, stay on one worker; all others go wherever there is room.
    Those with the longest timeout come first, then all that stay together, so that none of them is left for the end.
    """
    together = set[pytest.Item]()
    for item in items:
        if item.get_closest_marker("slow"):
            if item.get_closest_marker("timeout") is None and config.getoption("timeout") != 0:
                item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
            group = _group(item) if getattr(config.option, "loadgroup", False) else None
            if group:
                _put_in_group(item, group)
                together.add(item)
    items.sort(key=lambda item: (_timeout(item), item in together), reverse=True)


def _group(item: pytest.Item) -> str | None:
    """What a test has in common with those that run on the same worker."""
    assert isinstance(item, pytest.Function)
    definitions = item._fixtureinfo.name2fixturedefs
    for name in DEAR:
        if name in definitions:
            return name
    shared = [name for name, found in definitions.items() if any(fixture.scope == "module" for fixture in found)]
    return "-".join([item.path.stem, *_kinds(item, shared)]) if shared else None


def _put_in_group(item: pytest.Item, group: str) -> None:
    """Tells xdist that tests belong together: it looks for `@group` at the end of their ids.

    Its own marker sets an attribute that pytest 9.2 no longer looks at, and so does nothing.
    """
    item._id = NodeId.parse(f"{item.nodeid}@{group}")


def _kinds(item: pytest.Item, fixtures: Sequence[str]) -> list[str]:
    """Of which kind the fixtures are that exist in several, so that each kind can have a worker of its own."""
    chosen = item.callspec.params if hasattr(item, "callspec") else {}
    return [chosen[name] for name in fixtures if isinstance(chosen.get(name), str)]


def _timeout(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


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
def demo_tables(session_directory: Path, pytestconfig: pytest.Config) -> Iterator[DemoTables]:
    """An emulator of the session with the demo data, read-only for every test.

    The data is loaded once and kept in pytest's cache; a worker, and the next session, starts from what was saved.
    """
    with demo_data.serving(session_directory / "demo", pytestconfig.cache.mkdir("demo-data")) as tables:
        yield tables


@pytest.fixture(scope="session")
def demo_tables_elsewhere(tpch_files: Path, session_directory: Path) -> Iterator[Emulator]:
    """The same data in Dynoxide, a DynamoDB of other authors in another language, which counts capacity as AWS does."""
    directory = session_directory / "dynoxide"
    shutil.copytree(tpch_files, directory / "tpch")
    with dynoxide_serving(directory) as started:
        load_demo_data(started.endpoint_url, directory / "tpch", lambda _table, _written, _total: None)
        yield started


@pytest.fixture(scope="session")
def tpch_files(demo_tables: DemoTables) -> Path:
    """The directory of the generated TPC-H files, `<table>.parquet`."""
    return demo_tables.files


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    """Where the session's pair of services is reached."""
    return Addresses()


@pytest.fixture(scope="session")
def document_host(session_directory: Path) -> Iterator[DocumentHost]:
    """A host that publishes client documents: for https://client.example, and two origins to attack."""
    with publishing(session_directory, "client.example", "attacks.example", "victim.example") as host:
        yield host


@pytest.fixture(scope="session")
def auth_server(addresses: Addresses, session_directory: Path, document_host: DocumentHost) -> Iterator[AuthServer]:
    """auth-server as a process, with a user and a confidential client; shared, so no test may stop it.

    Its operator has named the document host, and trusts what is said on this machine about a caller's address.
    """
    settings = {**document_host.settings, "AUTH_TRUSTED_PROXIES": "127.0.0.1"}
    with auth_serving(addresses, session_directory, **settings) as started:
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
