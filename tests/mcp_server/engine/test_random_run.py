"""What `make random` tells of a run: each difference, how far it is, and what it counted when it is told to stop."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from tests.mcp_server.engine import random_run
from tests.mcp_server.engine.random_answers import Compared
from tests.mcp_server.engine.random_run import REPORT_EVERY, STATEMENTS_A_SEED, Share, Total, run, shares
from tests.support.random_sql.statement import Statement, calls


def test_each_seed_is_asked_over_all_views() -> None:
    made = list(shares(2_200, 7, ["a", "b"]))
    assert [(one.view, one.seed) for one in made] == [("a", 7), ("b", 7), ("a", 8), ("b", 8), ("a", 9)]
    assert [one.statements for one in made] == [500, 500, 500, 500, 200]


def test_a_total_tells_of_differences_at_once_and_of_its_count_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    total = Total(first_seed=3)
    total.add(Share("whole", 3, 500), Compared(REPORT_EVERY - 1, 0, 5, ["SELECT 1: of 1 rows it lacks ['2']"]), 1.0)
    assert capsys.readouterr().out == "whole, seed 3: SELECT 1: of 1 rows it lacks ['2']\n"
    total.add(Share("fleet", 4, 500), Compared(1, 0, 5), 1.0)
    assert capsys.readouterr().out == f"{total}\n"
    total.add(Share("fleet", 5, 500), Compared(1, 0, 5), 1.0)
    assert capsys.readouterr().out == ""
    assert str(total) == (
        f"{REPORT_EVERY + 1} statements in 15 ways, seeds 3 to 5 of 3 shares: 1 differences;"
        " 0.3 ms of CPU per statement"
    )


def test_in_one_way_each_statement_is_asked_once() -> None:
    (share,) = shares(40, 7, ["whole"], one_way=True)
    compared, _ = random_run.asked(share)
    assert compared.differences == []
    assert compared.ways == compared.statements >= share.statements


def test_a_time_is_replaced_by_times() -> None:
    """DuckDB fails at any other text that it compares with a time, unless no row gets there: its order decides."""
    statement = Statement("select seats from cars where seen in (timestamptz '2026-01-01 00:00:00+00', '2026-04-01')")
    made = {one.statement.judged for seed in range(20) for one in calls(statement, random.Random(seed), 4)}
    assert all(one[: one.rindex("'20")] + "'2026-04-01')" == statement.judged for one in made)
    assert len(made) > 3


def test_a_process_that_ends_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(_share: Share) -> tuple[Compared, float]:
        raise BrokenProcessPool

    monkeypatch.setattr(random_run, "asked", ends)
    total = Total(first_seed=1)
    with ThreadPoolExecutor(1) as pool:
        run(shares(1_000, 1, ["whole"]), total, pool, 1)
    assert total.differences == ["whole, seed 1: its process ended"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_finishes_what_it_began(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def told(share: Share) -> tuple[Compared, float]:
        os.kill(os.getpid(), number)
        return Compared(share.statements), 1.0

    monkeypatch.setattr(random_run, "asked", told)
    total, before = Total(first_seed=1), signal.getsignal(number)
    with ThreadPoolExecutor(1) as pool:
        run(shares(100_000, 1, ["whole"]), total, pool, 1)
    assert (total.shares, total.statements, total.differences) == (1, STATEMENTS_A_SEED, [])
    assert signal.getsignal(number) is before
