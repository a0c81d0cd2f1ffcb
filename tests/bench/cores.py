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
    """The core of the servers and the core of the load generator; the same one where there is only one."""

    servers: int
    load: int

    @contextmanager
    def pinned(self, core: int) -> Iterator[None]:
        """Processes started in the block run on that core."""
        os.sched_setaffinity(0, {core})
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.load})


def choose() -> Cores:
    """Takes the first two cores that are there, and moves this process to the second. Raises CannotPin."""
    if not hasattr(os, "sched_setaffinity") or not Path("/proc/self/stat").exists():
        raise CannotPin("make bench pins processes to cores and reads /proc: it needs Linux")
    usable = sorted(os.sched_getaffinity(0))
    cores = Cores(servers=usable[0], load=usable[-1] if len(usable) == 1 else usable[1])
    os.sched_setaffinity(0, {cores.load})
    return cores
