"""`make run` and `make demo` as a newcomer meets them, and as the machine treats them.

A start of the pair takes seconds, so each one proves several things; `Pair.running` shows for every one of them that
tokens are issued, that the end is a success, and that nothing is left behind.
"""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from deploy.local.demo_data import NotLoopback, dynamodb_client, load_demo_data
from tests.support.descendants import children, processor_seconds
from tests.support.local_pair import END_SECONDS, READY_SECONDS, Pair, kill
from tests.support.mcp_wire import Wire
from tests.support.processes import REPOSITORY, Server, clean_environment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TABLES = {"region", "nation", "supplier", "part", "customer", "partsupp", "orders", "lineitem", "app_data"}
INSPECTOR = "http://inspector.example.com:6274"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An installation that no run uses. Its first load was cut short twice before it succeeded."""
    pair = Pair(tmp_path_factory.mktemp("pair") / "data")
    run = pair.start()
    try:
        run.wait_until(lambda: "part " in run.tail(), READY_SECONDS)
        kill(pair.processes("emulator.py"))
        assert run.process.wait(END_SECONDS) == 1
        assert "emulator ended with status 137" in run.tail()
        pair.wait_until_all_ended()

        run = pair.start()
        run.wait_until(lambda: "orders " in run.tail(), READY_SECONDS)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(END_SECONDS) == 0
        pair.wait_until_all_ended()
    finally:
        run.kill()

    with pair.running() as third:
        assert "lineitem" in third.tail(100_000)
        assert "orders" not in third.tail(100_000).partition("Ready.")[0]
        assert tables(pair)["lineitem"] == 60_175
        assert tables(pair)["orders"] == 15_000
        assert set(tables(pair)) == TABLES
    return pair


@pytest.fixture(scope="module")
def running(loaded: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Server]]:
    """A second run over the loaded data, with settings of its caller; no test changes or ends it."""
    settings = {"MCP_ALLOWED_ORIGINS": INSPECTOR, "BRAND_NAME": "Our tables", "MCP_RESOURCE": "https://mcp.example.com"}
    pair = loaded.copy(tmp_path_factory.mktemp("second") / "data", settings)
    with pair.running() as run:
        yield pair, run


def tables(pair: Pair) -> dict[str, int]:
    """The tables of the emulator and their numbers of items."""
    client = dynamodb_client(f"http://127.0.0.1:{pair.ports['DYNAMODB_PORT']}")
    names = client.list_tables()["TableNames"]
    return {name: client.describe_table(TableName=name)["Table"]["ItemCount"] for name in names}


def test_a_load_that_was_cut_short_is_completed_and_never_repeated(loaded: Pair) -> None:
    """The emulator was killed in mid-load, then the load itself was interrupted; `loaded` checks each step."""
    assert (loaded.directory / "emulator" / "dynamodb.json").stat().st_size > 10_000_000


def test_a_start_writes_what_a_script_needs_for_its_owner_only(running: tuple[Pair, Server]) -> None:
    """The contract of demo.json, and the modes of everything that holds a secret."""
    pair, _ = running
    assert pair.demo.keys() == {"issuer", "resource", "dynamodb_endpoint", "user", "api_client"}
    assert pair.demo["user"].keys() == {"email", "password"}
    assert pair.demo["api_client"].keys() == {"client_id", "client_secret"}
    assert pair.demo["issuer"] == f"http://localhost:{pair.ports['AUTH_PORT']}"
    assert pair.demo["resource"] == f"http://localhost:{pair.ports['MCP_PORT']}/mcp"
    # No command line takes it for an option.
    assert re.fullmatch("[0-9a-f]{24}", pair.demo["user"]["password"])
    assert pair.directory.stat().st_mode & 0o777 == 0o700
    for path in pair.directory.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_run_keeps_the_data_and_its_printed_lines_work(loaded: Pair, running: tuple[Pair, Server]) -> None:
    """What a newcomer pastes into a shell answers with rows."""
    pair, run = running
    printed = run.tail(100_000)
    for credentials in ("user", "api_client"):
        assert pair.demo[credentials] == loaded.demo[credentials]
    assert "Saving the tables" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("  ")]
    first = next(number for number, line in enumerate(lines) if line.startswith("  TOKEN="))
    paste = "\n".join(lines[first:])
    assert "curl -s" in paste
    assert '"MACHINERY"' in shell(paste).replace("\\", "")
    resource = pair.demo["resource"]
    for line in (
        f"claude mcp add --transport http dynamosql {resource}",
        "claude mcp login dynamosql",
        f"codex mcp add dynamosql --url {resource}",
        f"gemini mcp add --transport http dynamosql {resource}",
        "npx @modelcontextprotocol/inspector",
        f"npx mcp-remote {resource}",
    ):
        assert line in printed


def test_the_printed_line_for_administration_works(running: tuple[Pair, Server]) -> None:
    """A shell that reads the file has the commands and the settings of this very installation."""
    pair, run = running
    (line,) = [line for line in run.tail(100_000).splitlines() if line.startswith("  . ")]
    listed = shell(f"{line}\nauth-server client list --json\nmcp-server check-config")
    assert pair.demo["api_client"]["client_id"] in listed
    assert f"{pair.demo['resource']} for tokens of {pair.demo['issuer']}" in listed


def test_settings_of_the_caller_reach_the_services(running: tuple[Pair, Server]) -> None:
    """All but those that `make run` decides itself, as the address of the resource."""
    pair, _ = running
    origin = httpx2.get(pair.demo["resource"], headers={"Origin": INSPECTOR})
    assert origin.headers["access-control-allow-origin"] == INSPECTOR
    metadata = f"{pair.demo['resource'].removesuffix('/mcp')}/.well-known/oauth-protected-resource/mcp"
    document = httpx2.get(metadata).json()
    assert (document["resource_name"], document["resource"]) == ("Our tables", pair.demo["resource"])


def test_a_query_by_an_indexed_column_of_the_demo_uses_the_index(running: tuple[Pair, Server]) -> None:
    """The schemas file declares that no order lacks the keys of the index."""
    pair, _ = running
    wire = Wire(pair.demo["resource"], pair.token().json()["access_token"])
    (scan,) = wire.call("explain_sql", sql="select * from orders where o_custkey = 370")["scans"]
    assert (scan["access"], scan["index"]) == ("Query", "orders_by_customer")
    assert len(wire.rows("select o_orderkey from orders where o_custkey = 370")) > 0


def test_the_demo_tells_the_whole_story_without_a_secret(running: tuple[Pair, Server]) -> None:
    """`make demo` succeeds against a running pair, and could be shown to anybody."""
    pair, _ = running
    done = demo(pair)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "Everything was as expected." in done.stdout
    for secret in (pair.demo["user"]["password"], pair.demo["api_client"]["client_secret"]):
        assert secret not in done.stdout
    assert not re.search(r"eyJ[\w-]{20}|\b(ac|rt)_[\w-]+\.[\w-]{8}", done.stdout)


def test_a_second_run_at_the_same_time_is_refused(running: tuple[Pair, Server]) -> None:
    """Two emulators over one directory would overwrite each other's tables."""
    pair, run = running
    assert f"already running here (process {run.pid})" in pair.refused()
    assert pair.token().status_code == 200


def test_the_demo_says_what_to_do_when_nothing_runs(loaded: Pair) -> None:
    """It fails, in one line."""
    done = demo(loaded)
    assert done.returncode == 1
    assert "make run" in done.stderr


def demo(pair: Pair) -> subprocess.CompletedProcess[str]:
    """What `make demo` does."""
    return pair.finished([sys.executable, "-m", "deploy.local.demo", str(pair.directory)])


def shell(script: str) -> str:
    """What a script prints. Fails the test when a command of it fails."""
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize(
    ("lost", "end"), [("demo.json", signal.SIGTERM), ("auth.sqlite3*", signal.SIGHUP)], ids=["demo.json", "store"]
)
def test_what_is_lost_means_new_secrets(loaded: Pair, lost: str, end: signal.Signals) -> None:
    """demo.json never describes credentials that do not work, and an old one does not work any more.

    An operator's request and a closed terminal end the run as Ctrl-C does.
    """
    before = loaded.demo
    for path in loaded.directory.glob(lost):
        path.unlink()
    with loaded.running(end):
        assert loaded.demo["user"]["password"] != before["user"]["password"]
        assert loaded.token(before).status_code == 401


@pytest.mark.parametrize("name", ["auth-server", "mcp-server", "emulator.py"])
def test_a_dead_child_is_named_and_the_rest_is_ended(loaded: Pair, name: str) -> None:
    """The terminal says which one it was and where its log is. Whatever died before, the next start is healthy."""
    with loaded.running() as run:
        kill(loaded.processes(name))
        assert run.process.wait(END_SECONDS) == 1
        printed = run.tail()
        assert f"{name.removesuffix('.py')} ended with status 137" in printed
        assert str(loaded.directory / "logs") in printed


def test_a_running_query_does_not_hold_the_end_up(loaded: Pair) -> None:
    """The run ends as a success while the query still computes."""
    endless = "select count(*) from lineitem a, orders b, orders c where a.l_comment || b.o_comment < c.o_comment"
    with loaded.running() as run, ThreadPoolExecutor(1) as pool:
        wire = Wire(loaded.demo["resource"], loaded.token().json()["access_token"])
        (server,) = loaded.processes("bin/mcp-server")
        idle = processor_seconds(children(server))
        query = pool.submit(wire.send, "tools/call", {"name": "run_sql", "arguments": {"sql": endless}})
        wait_for(lambda: processor_seconds(children(server)) > idle + 1, READY_SECONDS, "the query computes")
        assert not query.done()
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(END_SECONDS) == 0
        query.exception()


def test_killing_the_run_or_make_ends_every_process_and_keeps_the_tables(loaded: Pair) -> None:
    """The emulator saves its tables on an orderly stop only, and gets one; the run notices that `make` is gone."""
    item = {"r_regionkey": {"N": "99"}}
    with loaded.running() as run:
        dynamodb_client(loaded.demo["dynamodb_endpoint"]).put_item(TableName="region", Item=item)
        run.kill()
        loaded.wait_until_all_ended()
    loaded.log.unlink()
    under_make = f"'{sys.executable}' -m deploy.local.run '{loaded.directory}' >'{loaded.log}' 2>&1; true"
    with subprocess.Popen(["sh", "-c", under_make], cwd=REPOSITORY, env=loaded.environment) as make:
        try:
            wait_for(loaded.is_ready, READY_SECONDS, "the start")
            assert "Saving the tables" not in loaded.log.read_text()
            client = dynamodb_client(loaded.demo["dynamodb_endpoint"])
            assert client.get_item(TableName="region", Key=item)["Item"] == item
            client.delete_item(TableName="region", Key=item)
        finally:
            make.kill()
    loaded.wait_until_all_ended()


@pytest.mark.parametrize("variable", ["AUTH_PORT", "MCP_PORT", "DYNAMODB_PORT"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_busy_port_is_named_with_the_remedy(loaded: Pair, variable: str, address: str) -> None:
    """Nothing is started beside a stranger that would answer in our place."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((address, int(loaded.ports[variable])))
        stranger.listen()
        printed = loaded.refused()
    assert f"Port {loaded.ports[variable]} is in use" in printed
    assert f"make run {variable}=" in printed
    assert not loaded.processes()


@pytest.mark.parametrize(
    ("ports", "problem"),
    [
        ({"AUTH_PORT": "http"}, "AUTH_PORT must be a port number"),
        ({"MCP_PORT": "70000"}, "MCP_PORT must be a port number"),
        ({"AUTH_PORT": "9000", "MCP_PORT": "9000"}, "must be three different ports"),
    ],
)
def test_a_bad_port_is_refused_in_words(tmp_path: Path, ports: dict[str, str], problem: str) -> None:
    """No traceback for a slip of the finger."""
    pair = Pair(tmp_path / "data")
    pair.ports |= ports
    printed = pair.refused()
    assert problem in printed
    assert "Traceback" not in printed


def test_demo_data_never_goes_to_another_machine(tmp_path: Path) -> None:
    """Loading drops tables of the same names, so a slip must not reach a real account."""
    for endpoint in ("https://dynamodb.us-east-1.amazonaws.com", "http://192.0.2.1:8000", "http://localhost.example"):
        with pytest.raises(NotLoopback):
            load_demo_data(endpoint, tmp_path / "tpch", lambda *_: None)
    assert not (tmp_path / "tpch").exists()
