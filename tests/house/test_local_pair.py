"""`make run` and `make demo` as a newcomer meets them, and as the machine treats them."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.demo_data import NotLoopback, dynamodb_client, load_demo_data
from tests.support.processes import REPOSITORY, Server, clean_environment, free_port, wait_for

pytestmark = pytest.mark.slow

READY_SECONDS = 240
END_SECONDS = 180
TABLES = {"region", "nation", "supplier", "part", "customer", "partsupp", "orders", "lineitem", "app_data"}


class Pair:
    """An installation in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.log = directory, directory.with_suffix(".log")
        self.ports = {name: free_port() for name in ("AUTH_PORT", "MCP_PORT", "DYNAMODB_PORT")}

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(**{name: str(port) for name, port in self.ports.items()})

    @property
    def demo(self) -> dict[str, Any]:
        return dict(json.loads((self.directory / "demo.json").read_text()))

    def start(self) -> Server:
        """A run that has begun; its log is this run's alone."""
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-u", "-m", "deploy.local.run", str(self.directory)]
        return Server("make run", command, self.environment, self.log)

    @contextmanager
    def running(self) -> Iterator[Server]:
        """A run that is ready; it is ended with everything it started."""
        server = self.start()
        try:
            server.wait_until(lambda: "Ready." in self.log.read_text(), READY_SECONDS)
            yield server
        finally:
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGINT)
                server.process.wait(END_SECONDS)
            self.wait_until_all_ended()

    def refused(self) -> str:
        """What a run that cannot start says."""
        command = [sys.executable, "-m", "deploy.local.run", str(self.directory)]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.strip()

    def wait_until_all_ended(self) -> None:
        """Every process of the installation is gone: none holds the lock, none listens."""
        wait_for(self._is_unlocked, END_SECONDS, "the end of all supervisors")
        for name, port in self.ports.items():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, f"something still listens on {name}"
        assert not self.processes()

    def processes(self, name: str = "") -> list[int]:
        """The processes that carry this installation's settings, other than runs of `make run` itself."""
        marks = {f"{variable}={port}".encode() for variable, port in self.ports.items()}
        marks |= {f"GATEWAY_PORT={self.ports['DYNAMODB_PORT']}".encode()}
        found = []
        for entry in Path("/proc").iterdir():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
                command = (entry / "cmdline").read_bytes() if variables else b""
            except OSError:
                continue
            ours = marks.intersection(variables) and b"deploy.local" not in command and name.encode() in command
            if ours and b" Z " not in (entry / "stat").read_bytes():
                found.append(int(entry.name))
        return found

    def _is_unlocked(self) -> bool:
        with (self.directory / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An installation whose first start has loaded the demo data, and which was stopped by Ctrl-C."""
    pair = Pair(tmp_path_factory.mktemp("pair") / "data")
    with pair.running() as run:
        assert "lineitem" in run.tail(100_000)
        assert set(tables(pair)) == TABLES
    return pair


def tables(pair: Pair) -> dict[str, int]:
    """The tables of the emulator and their numbers of items."""
    client = dynamodb_client(f"http://127.0.0.1:{pair.ports['DYNAMODB_PORT']}")
    names = client.list_tables()["TableNames"]
    return {name: client.describe_table(TableName=name)["Table"]["ItemCount"] for name in names}


def token(demo: dict[str, Any]) -> httpx2.Response:
    """The answer to the demo client's request for a token."""
    client = demo["api_client"]
    return httpx2.post(
        f"{demo['issuer']}/token",
        data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
    )


def test_a_start_writes_what_a_script_needs_for_its_owner_only(loaded: Pair) -> None:
    """The contract of demo.json, and the modes of everything that holds a secret."""
    assert loaded.demo.keys() == {"issuer", "resource", "dynamodb_endpoint", "user", "api_client"}
    assert loaded.demo["user"].keys() == {"email", "password"}
    assert loaded.demo["api_client"].keys() == {"client_id", "client_secret"}
    assert loaded.demo["issuer"] == f"http://localhost:{loaded.ports['AUTH_PORT']}"
    assert loaded.demo["resource"] == f"http://localhost:{loaded.ports['MCP_PORT']}/mcp"
    assert loaded.directory.stat().st_mode & 0o777 == 0o700
    for path in loaded.directory.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_run_keeps_the_data_and_its_printed_lines_work(loaded: Pair) -> None:
    """What a newcomer pastes into a shell answers with rows."""
    before = loaded.demo
    with loaded.running() as run:
        printed = run.tail(100_000)
        assert loaded.demo == before
        assert "Saving the tables" not in printed
        lines = [line for line in printed.splitlines() if line.startswith("  ")]
        first = next(number for number, line in enumerate(lines) if line.startswith("  TOKEN="))
        paste = "\n".join(lines[first:])
        assert "curl -s" in paste
        done = subprocess.run(
            ["sh", "-eu", "-c", paste],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert '"MACHINERY"' in done.stdout.replace("\\", ""), done
        assert f"claude mcp add --transport http dynamosql {before['resource']}" in printed
        assert f"codex mcp add dynamosql --url {before['resource']}" in printed


def test_the_demo_tells_the_whole_story_without_a_secret(loaded: Pair) -> None:
    """`make demo` succeeds against a running pair, and could be shown to anybody."""
    with loaded.running():
        done = demo(loaded)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        assert "Everything was as expected." in done.stdout
        for secret in (loaded.demo["user"]["password"], loaded.demo["api_client"]["client_secret"]):
            assert secret not in done.stdout
        assert not re.search(r"eyJ[\w-]{20}|\b(ac|rt)_[\w-]+\.[\w-]{8}", done.stdout)


def test_the_demo_says_what_to_do_when_nothing_runs(loaded: Pair) -> None:
    """It fails, in one line."""
    done = demo(loaded)
    assert done.returncode == 1
    assert "make run" in done.stderr


def demo(pair: Pair) -> subprocess.CompletedProcess[str]:
    """What `make demo` does."""
    command = [sys.executable, "-m", "deploy.local.demo", str(pair.directory)]
    return subprocess.run(
        command, cwd=REPOSITORY, env=pair.environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process(loaded: Pair, number: signal.Signals) -> None:
    """Ctrl-C, an operator's request and a closed terminal are all the same, and none is a failure."""
    with loaded.running() as run:
        run.process.send_signal(number)
        assert run.process.wait(END_SECONDS) == 0
        loaded.wait_until_all_ended()


def test_killing_the_run_ends_every_process_and_keeps_the_tables(loaded: Pair) -> None:
    """The emulator saves its tables on an orderly stop only, and gets one."""
    with loaded.running() as run:
        client = dynamodb_client(loaded.demo["dynamodb_endpoint"])
        client.put_item(TableName="region", Item={"r_regionkey": {"N": "99"}})
        run.kill()
        loaded.wait_until_all_ended()
    with loaded.running() as run:
        assert "Saving the tables" not in run.tail(100_000)
        client = dynamodb_client(loaded.demo["dynamodb_endpoint"])
        assert "Item" in client.get_item(TableName="region", Key={"r_regionkey": {"N": "99"}})
        client.delete_item(TableName="region", Key={"r_regionkey": {"N": "99"}})


def test_killing_make_itself_ends_every_process(loaded: Pair) -> None:
    """The run notices that whoever started it is gone."""
    run = f"'{sys.executable}' -m deploy.local.run '{loaded.directory}' >'{loaded.log}' 2>&1; true"
    loaded.log.unlink()
    with subprocess.Popen(["sh", "-c", run], cwd=REPOSITORY, env=loaded.environment) as make:
        try:
            wait_for(lambda: loaded.log.exists() and "Ready." in loaded.log.read_text(), READY_SECONDS, "the start")
        finally:
            make.kill()
    loaded.wait_until_all_ended()


@pytest.mark.parametrize("name", ["auth-server", "mcp-server", "ministack"])
def test_a_dead_child_is_named_and_the_rest_is_ended(loaded: Pair, name: str) -> None:
    """The terminal says which one it was and where its log is; the next start is healthy."""
    with loaded.running() as run:
        kill(loaded.processes(name))
        assert run.process.wait(END_SECONDS) == 1
        told = run.tail()
        assert f"{'emulator' if name == 'ministack' else name} ended with status 137" in told
        assert str(loaded.directory / "logs") in told
        loaded.wait_until_all_ended()
    with loaded.running():
        assert token(loaded.demo).status_code == 200


def test_a_lost_demo_file_means_new_secrets(loaded: Pair) -> None:
    """Whoever found the old file can do nothing with it."""
    before = loaded.demo
    (loaded.directory / "demo.json").unlink()
    with loaded.running():
        assert loaded.demo["user"]["password"] != before["user"]["password"]
        assert token(loaded.demo).status_code == 200
        assert token(before).status_code == 401


def test_a_lost_store_means_new_secrets_too(loaded: Pair) -> None:
    """demo.json never describes credentials that do not work."""
    for path in loaded.directory.glob("auth.sqlite3*"):
        path.unlink()
    with loaded.running():
        assert token(loaded.demo).status_code == 200


@pytest.mark.parametrize("variable", ["AUTH_PORT", "MCP_PORT", "DYNAMODB_PORT"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_busy_port_is_named_with_the_remedy(loaded: Pair, variable: str, address: str) -> None:
    """Nothing is started beside a stranger that would answer in our place."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as stranger:
        stranger.bind((address, loaded.ports[variable]))
        stranger.listen()
        told = loaded.refused()
    assert f"Port {loaded.ports[variable]} is in use" in told
    assert f"make run {variable}=" in told
    assert not loaded.processes()


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ({"AUTH_PORT": "http"}, "AUTH_PORT must be a port number"),
        ({"MCP_PORT": "70000"}, "MCP_PORT must be a port number"),
        ({"AUTH_PORT": "9000", "MCP_PORT": "9000"}, "must be three different ports"),
    ],
)
def test_a_bad_port_is_refused_in_words(tmp_path: Path, ports: dict[str, str], told: str) -> None:
    """No traceback for a slip of the finger."""
    pair = Pair(tmp_path / "data")
    pair.ports |= ports  # type: ignore[arg-type]  # bad values are the point
    said = pair.refused()
    assert told in said
    assert "Traceback" not in said


def test_a_second_run_at_the_same_time_is_refused(loaded: Pair) -> None:
    """Two emulators over one directory would overwrite each other's tables."""
    with loaded.running() as run:
        assert f"already running here (process {run.pid})" in loaded.refused()
        assert token(loaded.demo).status_code == 200


def test_tables_that_were_cut_short_are_loaded_again(tmp_path: Path) -> None:
    """The emulator is killed in the middle of the load; then the load itself is interrupted; then all is there."""
    pair = Pair(tmp_path / "data")
    run = pair.start()
    try:
        run.wait_until(lambda: "part " in pair.log.read_text(), READY_SECONDS)
        kill(pair.processes("ministack"))
        assert run.process.wait(END_SECONDS) == 1
        assert "emulator ended with status 137" in run.tail()
        pair.wait_until_all_ended()

        run = pair.start()
        run.wait_until(lambda: "orders " in pair.log.read_text(), READY_SECONDS)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(END_SECONDS) == 0
        pair.wait_until_all_ended()

        with pair.running() as third:
            printed = third.tail(100_000)
            assert "lineitem" in printed
            assert "orders" not in printed.partition("Ready.")[0]
            counted = tables(pair)
            assert counted["lineitem"] == 60_175
            assert counted["orders"] == 15_000
            assert set(counted) == TABLES
    finally:
        run.kill_group()


def kill(processes: Sequence[int]) -> None:
    """As the kernel does when memory runs out."""
    assert processes
    for process in processes:
        os.kill(process, signal.SIGKILL)


def test_demo_data_never_goes_to_another_machine(tmp_path: Path) -> None:
    """Loading drops tables of the same names, so a slip must not reach a real account."""
    for endpoint in ("https://dynamodb.us-east-1.amazonaws.com", "http://192.0.2.1:8000", "http://localhost.example"):
        with pytest.raises(NotLoopback):
            load_demo_data(endpoint, tmp_path / "tpch", lambda *_: None)
    assert not (tmp_path / "tpch").exists()
