"""Servers under load: ours through its console script, the peers under Node or Python, each on the servers' core."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.bench.cores import Cores
from tests.bench.load import Caller, Load, drive
from tests.bench.measurement import Sample, Subject
from tests.bench.usage import Meter, family
from tests.support.node import node
from tests.support.processes import Server, answers, clean_environment, free_port, running

FOLDER = Path(__file__).parent
PEERS = FOLDER / "peers"
MODULES = FOLDER / "node_modules"
CONNECTIONS = 16
_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a run keeps its files, on which cores it runs, and how much it prepares.

    `items` are those of the table that is scanned, `codes` those that one pass redeems.
    """

    directory: Path
    cores: Cores
    items: int = 50_000
    codes: int = 500


@dataclass(frozen=True, slots=True)
class Target:
    """A running server that can be put under load. The load goes to 127.0.0.1."""

    name: str
    port: int
    server: Server
    core: int

    def subject(
        self,
        callers: Callable[[], Sequence[Caller]],
        *,
        name: str = "",
        warm_up: float = _WARM_UP_SECONDS,
        beside: Sequence[Caller] = (),
        beside_pause: float = 0.0,
    ) -> Subject:
        """The server as a row's subject; `callers` gives each pass its callers, one connection each."""
        return together(name or self.name, [self], callers, warm_up=warm_up, beside=beside, beside_pause=beside_pause)


def together(
    name: str,
    targets: Sequence[Target],
    callers: Callable[[], Sequence[Caller]],
    *,
    warm_up: float = _WARM_UP_SECONDS,
    beside: Sequence[Caller] = (),
    pause: float = 0.0,
    beside_pause: float = 0.0,
) -> Subject:
    """Servers that do the same work as one subject: the connections go to one after the other."""
    ports, cores = [target.port for target in targets], {target.core for target in targets}

    def measure(seconds: float) -> Sample:
        meter = Meter([pid for target in targets for pid in family(target.server.pid)], cores)
        load = Load(ports, callers(), beside, pause, beside_pause)
        window = drive(load, warm_up=warm_up, seconds=seconds, mark=meter.read)
        before, after = window.marks
        return Sample(
            window.seconds,
            window.latencies,
            cpu=after.processes - before.processes,
            generator=window.generator / window.seconds,
            others=after.others_since(before) / window.seconds / len(cores),
        )

    return Subject(name, measure)


def javascript(script: str) -> list[str]:
    """The command of a peer under the Node that npm brought along."""
    return [node(MODULES), str(PEERS / script)]


def python(module: str) -> list[str]:
    """The command of a peer in the development environment."""
    return [sys.executable, "-m", f"tests.bench.{module}"]


@contextmanager
def peer(
    setting: Setting,
    name: str,
    command: list[str],
    probe: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    core: int | None = None,
) -> Iterator[Target]:
    """A peer on a free port, which it is given as PORT; ready once a GET of `probe` answers 200.

    It runs on the servers' core unless another is named.
    """
    core = setting.cores.servers if core is None else core
    port = free_port()
    log = setting.directory / f"{name.replace(' ', '-')}.log"
    settings = clean_environment(PORT=str(port), NODE_ENV="production", **environment)
    with (
        setting.cores.pinned(core),
        running(name, command, settings, log, answers(f"http://127.0.0.1:{port}{probe}")) as server,
    ):
        yield Target(name, port, server, core)
