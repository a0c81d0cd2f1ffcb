"""Who used the servers' cores: the CPU time of processes and of whole cores, as the kernel counts it."""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.descendants import descendants

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far: of the measured processes, and of everything on their cores."""

    processes: float
    cores: float

    def others_since(self, before: "Usage") -> float:
        """CPU seconds on the cores that went to other processes."""
        return max(0.0, (self.cores - before.cores) - (self.processes - before.processes))


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads the usage of processes that run on these cores. A process that has ended counts for nothing."""

    pids: Sequence[int]
    cores: Collection[int]

    def read(self) -> Usage:
        """The usage at this moment."""
        return Usage(sum(map(_of_process, self.pids)), sum(map(_of_core, self.cores)))


def family(pid: int) -> list[int]:
    """A process and all processes that it has started."""
    return [pid, *descendants(pid)]


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    # proc(5): the second field of statm is the resident set size, in pages.
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _of_process(pid: int) -> float:
    with suppress(OSError):
        # proc(5): utime and stime are fields 14 and 15; the second field, a name, may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK
    return 0.0


def _of_core(core: int) -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) * _TICK
    raise LookupError(name)
