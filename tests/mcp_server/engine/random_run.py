"""Asks the engine many random statements over doubles: `make random`, `python -m tests.mcp_server.engine.random_run`.

It prints each answer that differs from the judge's, with its seed, how far it is after every 10,000 statements, and in
the end how many it compared; so it does on SIGTERM and SIGINT, once the shares that were begun are through.
"""

import argparse
import asyncio
import functools
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import structlog

from tests.mcp_server.engine.random_answers import VIEWS, Compared, compare, features, over_doubles
from tests.mcp_server.engine.random_made import judge, random_tables
from tests.support.random_sql.columns import Table

STATEMENTS_A_SEED = 500
REPORT_EVERY = 10_000
"""So many statements are compared between two lines that tell how far it is."""
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Python looks for garbage after 700 new objects by default, and took a fifth of the time with it."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one process asks at a time."""

    view: str
    seed: int
    statements: int
    one_way: bool = False


def shares(statements: int, first_seed: int, views: Sequence[str], *, one_way: bool = False) -> Iterator[Share]:
    """So many statements, over one view after the other, each seed over all of them."""
    seed = first_seed
    while statements > 0:
        for view in views[: statements // STATEMENTS_A_SEED + 1]:
            yield Share(view, seed, min(STATEMENTS_A_SEED, statements), one_way)
            statements -= STATEMENTS_A_SEED
        seed += 1


def prepare() -> None:
    """Makes a process ready to be asked: quiet, and sparing with searches for garbage. Signals are for its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.freeze()  # and collects nothing: a database of the parent's has no threads here that its end could wait for
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def asked(share: Share) -> tuple[Compared, float]:
    """What came of it, and the seconds of CPU that it took."""
    started = time.process_time()
    compared = asyncio.run(_asked(share))
    gc.collect()
    return compared, time.process_time() - started


async def _asked(share: Share) -> Compared:
    judging, tables = _judging(share.view)
    async with over_doubles(judging, share.seed, VIEWS[share.view]) as subject:
        statements = features(f"{share.view} {share.seed}", tables)
        return await compare(subject, statements, share.statements, one_way=share.one_way)


@functools.cache
def _judging(view: str) -> tuple[duckdb.DuckDBPyConnection, Sequence[Table]]:
    """Who judges, and the tables of random statements, which are the same for every share of a view."""
    seen = VIEWS[view].seen
    return judge(seen), random_tables(seen)


@dataclass(slots=True)
class Total:
    """What came of all shares so far."""

    first_seed: int
    last_seed: int = 0
    shares: int = 0
    statements: int = 0
    ways: int = 0
    differences: list[str] = field(default_factory=list)
    cpu: float = 0.0

    def add(self, share: Share, compared: Compared, cpu: float) -> None:
        """Counts a share. What differs is written at once, and how far it is now and then."""
        self.last_seed, self.shares = max(self.last_seed, share.seed), self.shares + 1
        before, self.statements = self.statements, self.statements + compared.statements
        self.ways, self.cpu = self.ways + compared.ways, self.cpu + cpu
        self.differs(share, *compared.differences)
        if before // REPORT_EVERY < self.statements // REPORT_EVERY:
            write(str(self))

    def differs(self, share: Share, *differences: str) -> None:
        """Writes what differs."""
        for difference in differences:
            self.differences.append(f"{share.view}, seed {share.seed}: {difference}")
            write(self.differences[-1])

    def __str__(self) -> str:
        return (
            f"{self.statements} statements in {self.ways} ways, seeds {self.first_seed} to {self.last_seed} of"
            f" {self.shares} shares: {len(self.differences)} differences;"
            f" {1000 * self.cpu / max(1, self.statements):.1f} ms of CPU per statement"
        )


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Tells within its block whether SIGTERM or SIGINT came, which end nothing there."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: came.append(got))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(todo: Iterator[Share], total: Total, pool: Executor, at_once: int) -> None:
    """Has the pool ask as many shares at once, until all are done, or a signal says to stop."""
    with stopping() as stop:
        running: dict[Future[tuple[Compared, float]], Share] = {}
        while True:
            while not stop() and len(running) < at_once and (share := next(todo, None)) is not None:
                running[pool.submit(asked, share)] = share
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                share = running.pop(future)
                try:
                    total.add(share, *future.result())
                except BrokenProcessPool:
                    total.differs(share, "its process ended")
                    return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=int, default=10_000)
    parser.add_argument("--first-seed", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--view", choices=VIEWS, action="append", help="only these; may be repeated")
    parser.add_argument("--one-way", action="store_true", help="each statement in one of its ways")
    arguments = parser.parse_args()
    total = Total(arguments.first_seed)
    views = arguments.view or list(VIEWS)
    todo = shares(arguments.statements, arguments.first_seed, views, one_way=arguments.one_way)
    with ProcessPoolExecutor(arguments.processes, initializer=prepare) as pool:
        run(todo, total, pool, arguments.processes)
    write(str(total))
    return 1 if total.differences else 0


if __name__ == "__main__":
    sys.exit(main())
