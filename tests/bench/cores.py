"""Which core does what: one for the servers, another for the load, so that neither takes from the other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class CannotPin(Exception):
    """This system does not let a process choose its core; the text is one line for the person who asked."""


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the servers, of the load generator, of a second server and of a database beside them.

    Where there are fewer cores, the last ones have the load generator's.
    """

    servers: int
    load: int
    second: int
    database: int

    @contextmanager
    def pinned(self, core: int) -> Iterator[None]:
        """Processes started in the block run on that core."""
        os.sched_setaffinity(0, {core})
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.load})


def choose() -> Cores:
    """Takes the first cores that are there, and moves this process to the second. Raises CannotPin."""
    if not hasattr(os, "sched_setaffinity") or not Path("/proc/self/stat").exists():
        raise CannotPin("make bench pins processes to cores and reads /proc: it needs Linux")
    usable = sorted(os.sched_getaffinity(0))
    servers, load = usable[0], usable[1 % len(usable)]
    second, database, *_ = [*usable[2:4], load, load]
    cores = Cores(servers, load, second, database)
    os.sched_setaffinity(0, {cores.load})
    return cores
