"""The long run: auth-server at a moderate, steady rate over each store, its memory and latency from part to part.

It is asked for by name, `make bench ROWS=soak`, since it takes ten minutes for each store. Half of the connections
rotate refresh tokens, a quarter take tokens for a client's secret, a quarter read the metadata.
"""

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.bench.issuers import DISCOVERY, Issuer, chains, our_issuer
from tests.bench.load import Caller
from tests.bench.measurement import Sample
from tests.bench.requests import Repeat, get
from tests.bench.subjects import CONNECTIONS, Setting, together
from tests.bench.usage import resident
from tests.support.services import Addresses, auth_serving
from tests.support.store_servers import STORE_SERVERS

NAMES = tuple(f"soak/{store}" for store in sorted(STORE_SERVERS))
PAUSE_SECONDS = 0.05
"""Between an answer and the next request of its connection: some 300 requests a second, a tenth of what it can do."""
MEMORY_GROWTH, TAIL_GROWTH = 1.05, 1.5
"""How much more memory, and how much longer a p99, the last third may show than the second; the first warms up."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long each store is soaked: in so many parts of so many seconds."""

    parts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """What one part showed; `resident` is the memory of auth-server at its end, in bytes."""

    sample: Sample
    resident: int


@dataclass(frozen=True, slots=True)
class Soaked:
    """A store's parts in order."""

    name: str
    parts: Sequence[Part]

    def growth(self, value: Callable[[Part], float]) -> float:
        """The median of the last third of the parts over that of the second."""
        third = len(self.parts) // 3
        last, second = self.parts[-third:], self.parts[-2 * third : -third]
        return statistics.median(map(value, last)) / statistics.median(map(value, second))

    @property
    def memory_growth(self) -> float:
        """By how much memory grew."""
        return self.growth(lambda part: part.resident)

    @property
    def tail_growth(self) -> float:
        """By how much the p99 grew."""
        return self.growth(lambda part: part.sample.percentile(0.99))


def soak(name: str, setting: Setting, length: Length) -> Soaked:
    """Soaks one store."""
    with _serving(name.removeprefix("soak/"), setting) as ours:
        callers = _callers(ours)
        subject = together(name, [ours.target], lambda: callers, pause=PAUSE_SECONDS)
        parts = []
        for number in range(length.parts):
            sys.stderr.write(f"{name} {number + 1} of {length.parts} ...\n")
            parts.append(Part(subject.measure(length.seconds), resident(ours.target.server.pid)))
        return Soaked(name, parts)


@contextmanager
def _serving(store: str, setting: Setting) -> Iterator[Issuer]:
    directory, cores = setting.directory / "auth", setting.cores
    directory.mkdir()
    with ExitStack() as stack:
        with cores.pinned(cores.database):
            server = stack.enter_context(STORE_SERVERS[store](setting.directory / store))
        more = {**server.environment, "AUTH_TRUSTED_PROXIES": "127.0.0.1"}
        with cores.pinned(cores.servers):
            auth = stack.enter_context(auth_serving(Addresses(), directory, **more))
        yield our_issuer(auth, cores.servers)


def _callers(ours: Issuer) -> Sequence[Caller]:
    quarter = CONNECTIONS // 4
    credentials = Repeat(ours.client_credentials(), b'"access_token":"ey')
    metadata = Repeat(get(ours.target.port, DISCOVERY), b'"issuer"')
    return [*chains(ours, 2 * quarter)(), *[credentials] * quarter, *[metadata] * quarter]
