"""Random statements give through the whole engine what DuckDB gives over the same rows.

They run over doubles of the ports, whose contract suites show that they behave like the real ones, and a few over an
emulator and child processes. RANDOM_STATEMENTS in the environment makes them more, RANDOM_SEED others; `--timeout=0`
gives them the time. `make random` asks many more.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import duckdb
import pytest
import structlog

from tests.mcp_server.engine.conftest import ANN
from tests.mcp_server.engine.random_answers import (
    MAX_ROWS,
    VIEWS,
    Subject,
    compare,
    features,
    over_doubles,
    over_emulator,
)
from tests.mcp_server.engine.random_made import judge, random_tables
from tests.mcp_server.engine.random_shop import SHOP
from tests.mcp_server.engine.random_views import View
from tests.support.emulator import Emulator
from tests.support.random_sql.columns import Table
from tests.support.random_sql.features import Features

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

STATEMENTS = int(os.environ.get("RANDOM_STATEMENTS", "240"))
FIRST_SEED = int(os.environ.get("RANDOM_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + 4)
PARTITIONED = STATEMENTS // 3
REAL_SHARE = 12
"""One in so many statements runs over the emulator."""


async def agree(subject: Subject, statements: Features, count: int) -> None:
    """That many statements have the judge's rows; most have any, few are refused, and of many some come row by row."""
    compared = await compare(subject, statements, count)
    assert not compared.differences, compared.differences[0]
    assert compared.answered > count / 2
    assert subject.pages_of_one >= count // 30
    assert subject.passed_over.total() < count / 20, subject.passed_over


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """A line of log per statement costs as much as its answer from the cache."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.configure(**configured)


@pytest.fixture(scope="module")
def judging() -> Iterator[duckdb.DuckDBPyConnection]:
    with judge(SHOP) as connection:
        yield connection


@pytest.fixture(scope="module")
def tables() -> Sequence[Table]:
    return random_tables(SHOP)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
async def test_the_judge_has_the_types_that_are_documented(judging: duckdb.DuckDBPyConnection, view: View) -> None:
    async with over_doubles(judging, view=view) as subject:
        for name, made in view.seen.items():
            described = (await subject.service.browsing().describe_table(ANN, table_name=name)).table
            assert {column.name: column.type.sql for column in described.columns} == dict(made.types)


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_statements_give_what_duckdb_gives(
    judging: duckdb.DuckDBPyConnection, tables: Sequence[Table], seed: int
) -> None:
    async with over_doubles(judging, seed) as subject:
        await agree(subject, features(seed, tables), STATEMENTS)


@pytest.mark.parametrize("view", list(VIEWS)[1:])
@pytest.mark.parametrize("seed", SEEDS[1::2])
async def test_random_statements_give_what_duckdb_gives_of_what_is_seen(view: str, seed: int) -> None:
    """Of what is declared, of the rows that rules leave, and of virtual tables, whose judge knows nothing else."""
    seen = VIEWS[view].seen
    with judge(seen) as judging:
        async with over_doubles(judging, seed, VIEWS[view]) as subject:
            await agree(subject, features(f"seen {seed}", random_tables(seen)), STATEMENTS)


@pytest.mark.parametrize("view", ["whole", "fleet"])
async def test_random_statements_give_it_over_an_emulator(emulator: Emulator, view: str) -> None:
    seen = VIEWS[view].seen
    with judge(seen) as judging:
        async with over_emulator(judging, emulator, VIEWS[view]) as subject:
            await agree(subject, features(f"emulated {FIRST_SEED}", random_tables(seen)), STATEMENTS // REAL_SHARE)


@pytest.mark.parametrize("seed", SEEDS[2:])
async def test_a_condition_parts_the_rows_into_three(
    judging: duckdb.DuckDBPyConnection, tables: Sequence[Table], seed: int
) -> None:
    """Ternary logic partitioning, as in tests/mcp_server/planning, through the whole engine: no judge is asked."""
    statements, compared, parted = features(f"parts {seed}", tables), 0, 0
    async with over_doubles(judging, seed) as subject:
        while compared < PARTITIONED:
            whole, parts = statements.any_partitions()
            try:
                if len(subject.judge.execute(whole.judged).fetchmany(MAX_ROWS + 1)) > MAX_ROWS:
                    continue
                for part in parts:
                    subject.judge.execute(part.judged)
            except duckdb.Error:  # not every join takes every condition
                continue
            rows, *thirds = [
                Counter(map(repr, await subject.rows(one.asked, None, statements.dice))) for one in (whole, *parts)
            ]
            assert sum(thirds, Counter[str]()) == rows, parts[0].asked
            parted += sum(map(bool, thirds)) > 1
            compared += 1
    assert parted > PARTITIONED / 3
