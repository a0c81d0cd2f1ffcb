"""The processes that a process has started."""

import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """The ids of the living children of a process, oldest first."""
    return _living().get(pid, [])


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    living = _living()
    found = list(living.get(pid, []))
    for child in found:
        found += living.get(child, [])
    return found


def alive(pid: int) -> bool:
    """Whether a process exists and is not just waiting to be reaped."""
    return any(pid in each for each in _living().values())


def _living() -> Mapping[int, list[int]]:
    """The processes that are not just waiting to be reaped, by their parents; tests look too often to start `ps`."""
    found = defaultdict[int, list[int]](list)
    for pid in sorted(int(directory.name) for directory in Path("/proc").iterdir() if directory.name.isdigit()):
        with suppress(OSError):  # it has ended meanwhile
            state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(parent)].append(pid)
    return found


def kill(pid: int) -> None:
    """Ends a process as a crash does."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def processor_seconds(pids: Iterable[int]) -> float:
    """How long these processes have computed so far, in user and system mode."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
