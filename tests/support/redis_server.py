"""A real redis-server as a process of its own on a free port."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Server, clean_environment, free_port, running

_ALL_SLOTS = ("CLUSTER", "ADDSLOTSRANGE", "0", "16383")


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis that keeps its data in `directory`."""

    port: int
    server: Server
    directory: Path

    @property
    def url(self) -> str:
        """Where it is, for AUTH_STORE_URL."""
        return f"redis://127.0.0.1:{self.port}"

    def command(self, *words: str) -> str:
        """What one command answers, as it comes; of a long answer the beginning."""
        return _command(self.port, *words)

    def restart(self) -> None:
        """Starts it again, once it has ended."""
        self.server.start_again(_answers(self.port))


@contextmanager
def redis_serving(directory: Path, *options: str, cluster: bool = False) -> Iterator[RedisServer]:
    """A Redis that has every change on disk before it answers.

    As a `cluster` it is a node that has all slots: it refuses scripts whose keys are in different ones.
    """
    program = shutil.which("redis-server")
    assert program, "redis-server is missing; on Debian or Ubuntu, as root: apt-get install -y redis-server"
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0", *options]
    command += ["--cluster-enabled", "yes"] if cluster else []
    with running("redis", command, clean_environment(), directory / "redis.log", _answers(port)) as server:
        if cluster:
            assert _command(port, *_ALL_SLOTS) == "+OK\r\n"
            server.wait_until(lambda: "cluster_state:ok" in _command(port, "CLUSTER", "INFO"))
        yield RedisServer(port, server, directory)


def _answers(port: int) -> Callable[[], bool]:
    def probe() -> bool:
        try:
            # One that wants a password answers, too; one that still loads its data does not count.
            return _command(port, "PING").startswith(("+PONG", "-NOAUTH"))
        except OSError:
            return False

    return probe


def _command(port: int, *words: str) -> str:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
        return connection.recv(65536).decode("utf-8", "replace")
