"""Two auth-server processes on one store, behind a balancer that gives each request to the other one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import Balancer, balancing
from tests.support.processes import SCRIPTS, Server, answers, free_port, running
from tests.support.services import Addresses, AuthServer, auth_serving
from tests.support.store_servers import StoreServer


@dataclass(frozen=True, slots=True)
class AuthCluster:
    """`auth` is reached through the balancer; `origins` are those of the processes."""

    auth: AuthServer
    store: StoreServer
    balancer: Balancer
    servers: Sequence[Server]
    origins: Sequence[str]

    @property
    def token_endpoints(self) -> Sequence[str]:
        """Of each process."""
        return [f"{origin}/token" for origin in self.origins]

    def restart(self, index: int) -> None:
        """Starts a process that was killed."""
        self.servers[index].start_again(answers(f"{self.origins[index]}/readyz"))


@contextmanager
def clustering(store: StoreServer, directory: Path, **more: str) -> Iterator[AuthCluster]:
    """Two processes that log to `directory`."""
    addresses, port = Addresses(gateway_port=free_port()), free_port()
    origins = [f"http://localhost:{addresses.auth_port}", f"http://localhost:{port}"]
    with (
        balancing(addresses.gateway_port, origins[:1]) as balancer,
        auth_serving(addresses, directory, **store.environment, **more) as auth,
    ):
        environment = auth.server.environment | {"AUTH_PORT": str(port)}
        command, log = [str(SCRIPTS / "auth-server"), "serve"], directory / "second-auth-server.log"
        with running("second auth-server", command, environment, log, answers(f"{origins[1]}/readyz")) as second:
            balancer.origins.append(origins[1])
            yield AuthCluster(auth, store, balancer, [auth.server, second], origins)
