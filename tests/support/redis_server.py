"""A real redis-server as a process of its own on a free port."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Server, clean_environment, free_port, running


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

    def wait_until(self, text: str, *words: str) -> None:
        """Returns once the answer to a command holds the text."""
        self.server.wait_until(lambda: text in self.command(*words))

    def restart(self) -> None:
        """Starts it again, once it has ended."""
        self.server.start_again(_answers(self.port))


@contextmanager
def redis_serving(directory: Path, *options: str) -> Iterator[RedisServer]:
    """A Redis that has every change on disk before it answers."""
    program = shutil.which("redis-server")
    assert program, "redis-server is missing; on Debian or Ubuntu, as root: apt-get install -y redis-server"
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0", *options]
    with running("redis", command, clean_environment(), directory / "redis.log", _answers(port)) as server:
        yield RedisServer(port, server, directory)


@contextmanager
def redis_node_serving(directory: Path, first_slot: int = 0, last_slot: int = 16383) -> Iterator[RedisServer]:
    """A node of a cluster that has these slots. It refuses scripts whose keys are in different slots."""
    with redis_serving(directory, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as node:
        assert node.command("CLUSTER", "ADDSLOTSRANGE", str(first_slot), str(last_slot)) == "+OK\r\n"
        if (first_slot, last_slot) == (0, 16383):
            node.wait_until("cluster_state:ok", "CLUSTER", "INFO")
        yield node


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
