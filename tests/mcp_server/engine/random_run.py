"""Asks the engine many random statements over doubles: `make random`, `python -m tests.mcp_server.engine.random_run`.

It prints each answer that differs from the judge's, with its seed, and in the end how many statements it compared.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import structlog

from tests.mcp_server.engine.random_answers import VIEWS, Compared, compare, features, over_doubles
from tests.mcp_server.engine.random_made import judge, random_tables

STATEMENTS_A_SEED = 500


@dataclass(frozen=True, slots=True)
class Share:
    """What one process asks at a time."""

    view: str
    seed: int
    statements: int


def shares(statements: int, first_seed: int, views: list[str]) -> Iterator[Share]:
    """So many statements, over one view after the other, each seed over all of them."""
    seed = first_seed
    while statements > 0:
        for view in views[: statements // STATEMENTS_A_SEED + 1]:
            yield Share(view, seed, min(STATEMENTS_A_SEED, statements))
            statements -= STATEMENTS_A_SEED
        seed += 1


def asked(share: Share) -> tuple[Share, Compared, float]:
    """What came of it, and the seconds of CPU that it took."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    started = time.process_time()
    return share, asyncio.run(_asked(share)), time.process_time() - started


async def _asked(share: Share) -> Compared:
    view = VIEWS[share.view]
    with judge(view.seen) as judging:
        async with over_doubles(judging, share.seed, view) as subject:
            statements = features(f"{share.view} {share.seed}", random_tables(view.seen))
            return await compare(subject, statements, share.statements)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=int, default=10_000)
    parser.add_argument("--first-seed", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--view", choices=VIEWS, action="append", help="only these; may be repeated")
    arguments = parser.parse_args()
    todo = list(shares(arguments.statements, arguments.first_seed, arguments.view or list(VIEWS)))
    statements = ways = differences = 0
    cpu = 0.0
    with ProcessPoolExecutor(arguments.processes) as pool:
        for done in as_completed([pool.submit(asked, share) for share in todo]):
            share, compared, seconds = done.result()
            statements, ways, cpu = statements + compared.statements, ways + compared.ways, cpu + seconds
            differences += len(compared.differences)
            for difference in compared.differences:
                sys.stdout.write(f"{share.view}, seed {share.seed}: {difference}\n")
            sys.stdout.flush()
            sys.stderr.write(f"\r{statements} statements, {differences} differences ")
    sys.stdout.write(
        f"{statements} statements in {ways} ways, seeds {todo[0].seed} to {todo[-1].seed} of {len(todo)} shares:"
        f" {differences} differences; {1000 * cpu / max(1, statements):.1f} ms of CPU per statement\n"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
