"""What a stage is expected to take follows from the rows that its source is expected to leave."""

from dataclasses import replace

from mcp_server.planning.access_path import DEARER, plan_read
from mcp_server.planning.expectations import expected
from mcp_server.planning.plan import Estimate, KeyLink, Read, Stage
from tests.mcp_server.adapters.relations import relation

ALONE = Estimate(items=60_000, pages=10, read_units=2000.0, seconds=1.0)


def test_rows_without_conditions_name_as_many_keys() -> None:
    source = read(Estimate(100, 1, 10.0, 0.1))
    staged = read(Estimate(100, 1, 50.0, 0.1), Stage(link(), 100, read(ALONE), DEARER))
    [_, stage] = expected([source, staged], {"a": source, "b": staged})
    assert (stage.estimate.read_units, stage.estimate.confidence) == (50.0, "guessed")


def test_conditions_on_its_source_leave_fewer_keys() -> None:
    source = replace(read(Estimate(100, 1, 10.0, 0.1)), pushed_filters=("x = 1",), residual_filters=("x = 1",))
    staged = read(Estimate(100, 1, 50.0, 0.1), Stage(link(), 100, read(ALONE), DEARER))
    [_, stage] = expected([source, staged], {"a": source, "b": staged})
    assert stage.estimate.read_units == 15.0


def test_more_rows_than_pay_are_read_otherwise() -> None:
    source = replace(read(Estimate(1500, 1, 10.0, 0.1)), pushed_filters=("x = 1",))
    staged = read(Estimate(100, 1, 50.0, 0.1), Stage(link(), 100, read(ALONE), DEARER))
    [_, stage] = expected([source, staged], {"a": source, "b": staged})
    assert (stage.estimate.read_units, stage.estimate.confidence) == (2000.0, "guessed")


def test_other_reads_stay_as_they_are() -> None:
    alone = read(ALONE)
    assert expected([alone], {"a": alone}) == (alone,)


def read(estimate: Estimate, stage: Stage | None = None) -> Read:
    return replace(plan_read(relation([]), consistent=False), estimate=estimate, stage=stage)


def link() -> KeyLink:
    return KeyLink(("k",), "a", ("k",))
