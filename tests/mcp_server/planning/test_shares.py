"""How much of a partition a Query reads, and how many rows conditions leave, follow from sampled values."""

from dataclasses import replace
from decimal import Decimal

import pytest

from mcp_server.domain.distribution import distribution
from mcp_server.domain.schema import Column, Index, Table
from mcp_server.planning.access_path import DEARER, plan_read
from mcp_server.planning.expectations import expected
from mcp_server.planning.plan import Estimate, KeyLink, KeySource, Read, Stage
from mcp_server.planning.shares import LEFT_BY_A_CONDITION, share_left
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning.test_access_path import ORDERS

PARTITION = 400
NUMBERS = [Decimal(number) for number in range(1, 401)]
DAYS = [f"20{year:02d}-{month:02d}-15" for year in range(10, 20) for month in range(1, 13)]
STATES = ["open"] * 50 + ["paid"] * 150 + ["shipped"] * 200


def with_values(column: Column) -> Column:
    match column.name:
        case "sk" | "total":
            return replace(column, spread=distribution(NUMBERS, 1.0, 10_000, 200))
        case "placed":
            return replace(column, spread=distribution(DAYS, 1.0, 10_000, 200), presence=0.5)
        case "status" | "c":
            return replace(column, spread=distribution(STATES, 1.0, 10_000, 200))
    return column


def sized(index: Index) -> Index:
    return replace(index, partition_items=float(PARTITION))


KNOWN = replace(
    ORDERS,
    partition_items=float(PARTITION),
    columns=tuple(map(with_values, ORDERS.columns)),
    indexes=tuple(map(sized, ORDERS.indexes)),
)


def read_of(condition: str, table: Table = KNOWN) -> Read:
    statement = parse(f"SELECT pk FROM orders WHERE {condition}", None)
    (relation,) = bind(statement, "demo", dict.fromkeys(statement.tables, table)).relations
    return plan_read(relation, consistent=False)


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("pk = 'a'", 400),
        ("pk = 'a' AND sk > 300", 100),
        ("pk = 'a' AND sk BETWEEN 101 AND 140", 40),
        ("pk = 'a' AND sk < 3", 3),
        ("pk = 'a' AND sk > 100000", 1),
        ("customer = 1 AND placed >= DATE '2019-01-01'", 40),
        ("customer = 1 AND placed BETWEEN DATE '2012-01-01' AND DATE '2013-12-31'", 80),
        ("a = 'x' AND b = 1 AND c LIKE 'sh%' AND d IS NOT NULL", 200),
        ("a = 'x' AND b = 1 AND c = 'open' AND d > 3", 15),
        ("a = 'x' AND b = 1 AND c IN ('open', 'paid') AND d IS NOT NULL", 200),
    ],
)
def test_a_query_reads_the_share_of_the_sampled_values(condition: str, items: int) -> None:
    assert read_of(condition).estimate.items == pytest.approx(items, rel=0.1, abs=2)


def test_a_share_that_nothing_tells_is_guessed_and_says_so() -> None:
    unknown = replace(KNOWN, columns=ORDERS.columns)
    assert read_of("pk = 'a' AND sk > 300").estimate.confidence == "estimated"
    guessed = read_of("pk = 'a' AND sk > 300", unknown).estimate
    assert (guessed.items, guessed.confidence) == (PARTITION * LEFT_BY_A_CONDITION, "guessed")
    assert read_of("pk = 'a'", unknown).estimate.confidence == "estimated"


def test_the_narrower_of_two_ranges_is_read() -> None:
    late = "pk = 'a' AND placed >= DATE '2019-06-01' AND sk >= 2"
    early = "pk = 'a' AND placed >= DATE '2010-06-01' AND sk >= 390"
    assert (read_of(late).index, read_of(early).index) == ("by_placed", None)


@pytest.mark.parametrize(
    ("condition", "share"),
    [
        ("total > 300", 0.25),
        ("total BETWEEN 1 AND 40 AND status = 'paid'", 0.1 * 0.375),
        ("status = 'open' OR status = 'paid'", 0.5),
        ("status <> 'open'", 0.875),
        ("status LIKE '%ip%'", 0.5),
        ("placed IS NULL", 0.5),
        ("placed < DATE '2011-01-01'", 0.05),
        ("note = 'x'", None),
        ("note = 'x' OR total > 300", 1 - 0.7 * 0.75),
    ],
)
def test_conditions_leave_the_share_of_the_sampled_values(condition: str, share: float | None) -> None:
    found: float | None = 1.0
    for conjunct in read_of(condition).relation.conjuncts:
        assert conjunct.predicate is not None
        left = share_left(conjunct.predicate, KNOWN)
        found = None if left is None or found is None else found * left
    assert found == (share if share is None else pytest.approx(share, rel=0.1))


def test_a_stage_is_expected_to_get_the_keys_of_the_rows_that_are_left() -> None:
    source = replace(read_of("total > 300 AND note = 'x'"), estimate=Estimate(1000, 1, 10.0, 0.1))
    alone = Estimate(items=60_000, pages=10, read_units=2000.0, seconds=1.0)
    other = replace(source, estimate=alone)
    link = KeyLink(("pk",), (KeySource("a", ("pk",)),))
    staged = replace(source, estimate=Estimate(100, 1, 50.0, 0.1), stage=Stage(link, 100, other, DEARER))
    [_, stage] = expected([source, staged], {"a": source, "b": staged})
    assert stage.estimate.read_units == pytest.approx(1000 * 0.25 * 0.3 / 100 * 50.0, rel=0.1)
