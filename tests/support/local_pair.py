"""A run of `make run` over a directory of its own, watched and killed as the machine would."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import REPOSITORY, Server, clean_environment, free_port, wait_for

READY_SECONDS = 240
END_SECONDS = 180


class Pair:
    """An installation in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory, self.log = directory, directory.with_suffix(".log")
        self.ports = {name: str(free_port()) for name in ("AUTH_PORT", "MCP_PORT", "DYNAMODB_PORT")}
        self._settings = dict(settings or {})

    def copy(self, directory: Path, settings: Mapping[str, str] | None = None) -> "Pair":
        """The same data in another directory, to run beside this one."""
        shutil.copytree(self.directory, directory)
        return Pair(directory, settings)

    @property
    def environment(self) -> dict[str, str]:
        """What the caller of `make run` has in its environment."""
        return clean_environment(**self.ports, **self._settings)

    @property
    def demo(self) -> dict[str, Any]:
        """The content of demo.json."""
        return dict(json.loads((self.directory / "demo.json").read_text()))

    @property
    def command(self) -> list[str]:
        """The command of `make run`."""
        return [sys.executable, "-u", "-m", "deploy.local.run", str(self.directory)]

    def start(self) -> Server:
        """A run that has begun; its log is this run's alone."""
        self.log.unlink(missing_ok=True)
        return Server("make run", self.command, self.environment, self.log)

    def is_ready(self) -> bool:
        """Whether the newest run has printed that everything is up."""
        return self.log.exists() and "Ready." in self.log.read_text()

    @contextmanager
    def running(self, end: signal.Signals = signal.SIGINT) -> Iterator[Server]:
        """A run that is ready and gives tokens. If it still runs after the block, `end` ends it as a success."""
        server = self.start()
        try:
            server.wait_until(self.is_ready, READY_SECONDS)
            assert self.token().status_code == 200
            yield server
            if server.process.poll() is None:
                server.process.send_signal(end)
                assert server.process.wait(END_SECONDS) == 0
            self.wait_until_all_ended()
        finally:
            server.kill()
            wait_for(self._is_unlocked, END_SECONDS, "the end of all supervisors")

    def refused(self) -> str:
        """What a run that cannot start prints to standard error."""
        done = self.finished(self.command)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.strip()

    def finished(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """A command in the environment of the installation, run to its end."""
        return subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def token(self, demo: Mapping[str, Any] | None = None) -> httpx2.Response:
        """The answer to the demo client's request for a token."""
        demo = demo or self.demo
        client = demo["api_client"]
        return httpx2.post(
            f"{demo['issuer']}/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
            timeout=30,
        )

    def wait_until_all_ended(self) -> None:
        """Every process of the installation is gone: none holds the lock, none listens."""
        wait_for(self._is_unlocked, END_SECONDS, "the end of all supervisors")
        for name, port in self.ports.items():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", int(port))) != 0, f"something still listens on {name}"
        assert not self.processes()

    def processes(self, name: str = "") -> list[int]:
        """The children of the newest run whose command contains `name`, by the settings that they carry."""
        marks = {f"{variable}={port}".encode() for variable, port in self.ports.items()}
        marks |= {f"GATEWAY_PORT={self.ports['DYNAMODB_PORT']}".encode()}
        found = []
        for entry in Path("/proc").iterdir():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
                command = (entry / "cmdline").read_bytes() if variables else b""
                ours = marks.intersection(variables) and b"deploy.local" not in command and name.encode() in command
                if ours and b" Z " not in (entry / "stat").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def _is_unlocked(self) -> bool:
        with (self.directory / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True


def kill(processes: list[int]) -> None:
    """Ends processes as the kernel does when memory runs out."""
    assert processes
    for process in processes:
        os.kill(process, signal.SIGKILL)
