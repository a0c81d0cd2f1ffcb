"""Both services end under traffic without cutting off anybody who reached them."""

import http.client
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.processes import SCRIPTS, Server, answers, running
from tests.support.services import Addresses, auth_environment, mcp_environment

pytestmark = pytest.mark.slow

CLIENTS = 20
ENOUGH = 200


class Traffic:
    """Clients that ask one thing again and again, on connections that last as long as the server lets them."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._lock = threading.Lock()
        self.answered, self.cut, self.closed = 0, list[str](), 0
        self.enough = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]

    def start(self) -> None:
        """Starts the clients; each goes on until it is refused a connection."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits for the clients."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _client(self) -> None:
        connection = http.client.HTTPConnection("localhost", self._port, timeout=30)
        while True:
            if connection.sock is None:
                try:
                    connection.connect()
                except OSError:
                    return
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                answer.read()
                last = answer.getheader("Connection") == "close"
                problem = "" if answer.status == 200 else str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                last, problem = False, repr(error)
            with self._lock:
                self.answered += not problem
                self.closed += last
                self.cut += [problem] if problem else []
                if self.answered > ENOUGH:
                    self.enough.set()


@contextmanager
def auth(directory: Path) -> Iterator[tuple[Server, Traffic]]:
    addresses = Addresses()
    environment = auth_environment(addresses, directory, AUTH_SHUTDOWN_DELAY_SECONDS="1")
    ready = answers(f"{addresses.issuer}/readyz")
    with running("auth", [str(SCRIPTS / "auth-server"), "serve"], environment, directory / "log", ready) as server:
        yield server, Traffic(addresses.auth_port, "/.well-known/jwks.json")


@contextmanager
def mcp(directory: Path) -> Iterator[tuple[Server, Traffic]]:
    addresses = Addresses()
    environment = mcp_environment(addresses, directory, "http://127.0.0.1:1", MCP_SHUTDOWN_DELAY_SECONDS="1")
    ready = answers(f"http://localhost:{addresses.mcp_port}/readyz")
    with running("mcp", [str(SCRIPTS / "mcp-server"), "serve"], environment, directory / "log", ready) as server:
        yield server, Traffic(addresses.mcp_port, "/.well-known/oauth-protected-resource")


@pytest.mark.parametrize("service", [auth, mcp])
def test_i19_a_stop_under_traffic_cuts_off_nobody(
    service: Callable[[Path], AbstractContextManager[tuple[Server, Traffic]]], tmp_path: Path
) -> None:
    """Our choice: who got a connection gets an answer, and whoever kept one is asked to leave first."""
    with service(tmp_path) as (server, traffic):
        traffic.start()
        try:
            assert traffic.enough.wait(60)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        finally:
            server.kill()
            traffic.join()
    assert traffic.cut == []
    assert traffic.closed >= CLIENTS
