"""What a stage is expected to take follows from the rows that its source is expected to leave."""

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mcp_server.domain.distribution import Distribution
from mcp_server.domain.schema import Column, ColumnType, TypeKind
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.planning.access_path import DEARER, plan_read
from mcp_server.planning.expectations import expected, filling, stopping
from mcp_server.planning.plan import Estimate, KeyLink, KeySource, Read, Stage
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.adapters.relations import N, S, relation, table

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


@pytest.mark.parametrize(
    ("condition", "rows", "looked_at"),
    [
        ("n < 50", 10, 300),  # 20 items have them: in the first page, and one is asked for ahead
        ("n < 50", 90, 700),  # 180 items: the second page is twice as large
        ("n < 5", 10, 700),  # 200 items
        ("n < 5", 40, 3_100),  # 800 items: the fourth page, and none is asked for beyond the fifth
    ],
)
def test_a_scan_that_ends_with_few_rows_is_told_with_what_it_looks_at_until_then(
    condition: str, rows: int, looked_at: int
) -> None:
    whole = scan(f"SELECT pk FROM things WHERE {condition} LIMIT {rows}")
    told = stopping(whole)

    assert (whole.estimate.items, told.at_most) == (10_000, whole.estimate)
    assert told.estimate.items == looked_at
    assert told.estimate.read_units == pytest.approx(looked_at * 400 / 4096 / 2, abs=0.5)
    assert told.estimate.confidence == "estimated"
    assert replace(told, estimate=whole.estimate, at_most=None) == whole


def test_a_scan_for_many_rows_looks_at_pages_that_are_as_large_as_they_can_be() -> None:
    told = stopping(scan("SELECT pk FROM things WHERE n < 50 LIMIT 2000"))

    # 4,000 items have them: two pages, and one that is asked for ahead.
    assert (told.estimate.items, told.estimate.pages) == (7_500, 3)
    many = scan("SELECT pk FROM things WHERE n < 50 LIMIT 2000", 80_000)
    # Of eight segments one page each is more than enough, and only one is asked for ahead.
    assert (len(many.requests), stopping(many).estimate.pages) == (8, 9)
    assert stopping(many).estimate.items == 9 * math.ceil(80_000 / many.estimate.pages)


def test_of_several_segments_the_first_to_answer_looks_ahead() -> None:
    several = scan("SELECT EXISTS (SELECT 1 FROM things WHERE n < 50)", 80_000)
    assert (len(several.requests), stopping(several).estimate.items) == (8, 8 * 100 + 200)


@pytest.mark.parametrize(
    ("condition", "rows", "looked_at"),
    [
        ("n < 50", 10, 100),
        ("n < 50", 90, 202),  # of the first hundred 50 meet it; the rest, and one, is looked for among a quarter more
        ("n < 5", 40, 916),
        ("n % 7 < 5", 10, 100),  # nobody knows, so 0.3 are taken to meet it
        ("n = 77", 900, 10_000),  # there are not so many
    ],
)
def test_a_read_for_the_first_rows_is_told_with_what_it_looks_at_until_there_are_as_many(
    condition: str, rows: int, looked_at: int
) -> None:
    whole = scan(f"SELECT pk FROM things WHERE {condition} LIMIT {rows}")
    told = filling(whole, rows)

    assert told.estimate.items == looked_at
    assert told.at_most == (whole.estimate if looked_at < 10_000 else None)
    assert told.estimate.confidence == ("guessed" if "%" in condition else "estimated")


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("name LIKE 'b%'", 2_500),
        ("name NOT LIKE 'b%'", 7_500),
        ("NOT name LIKE '%2%'", 9_000),
        ("NOT starts_with(name, 'b')", 7_500),
        ("NOT contains(name, 'b')", 7_500),
        ("name NOT LIKE 'b%' AND name NOT LIKE '%2%'", 6_750),
        ("name NOT LIKE 'b%1'", 7_500),
        ("other LIKE 'b%'", 3_000),
        ("other NOT LIKE 'b%'", 7_000),
    ],
)
def test_a_negated_pattern_leaves_what_the_pattern_would_not(condition: str, rows: int) -> None:
    """Of forty sampled names ten begin with each of four letters, and four have each digit."""
    source = scan(f"SELECT pk FROM things WHERE {condition}")
    otherwise = read(replace(ALONE, read_units=20_000.0))
    staged = read(Estimate(10_000, 1, 10_000.0, 0.1), Stage(link(), 10_000, otherwise, DEARER))

    [_, stage] = expected([source, staged], {"a": source, "b": staged})

    assert stage.estimate.read_units == pytest.approx(rows, abs=130)  # between two sampled names


@pytest.mark.parametrize(
    ("condition", "rows", "confidence"),
    [
        ("name ILIKE 'B%'", 2_500, "estimated"),
        ("name ILIKE '%A_'", 2_500, "estimated"),
        ("name ILIKE 'B%1'", 250, "estimated"),
        ("name NOT ILIKE 'B%'", 7_500, "guessed"),
        ("NOT (name ILIKE 'B%')", 7_500, "guessed"),
        ("name GLOB 'b*'", 2_500, "estimated"),
        ("name GLOB 'B*'", 12, "estimated"),
        ("name GLOB '?2'", 1_000, "estimated"),
        ("name GLOB '[ab]*'", 3_000, "guessed"),
        ("NOT name GLOB '*2'", 9_000, "guessed"),
        ("name ILIKE 'B%' AND n < 50", 1_237, "estimated"),
        ("other ILIKE 'B%'", 3_000, "guessed"),
        ("other NOT ILIKE 'B%'", 7_000, "guessed"),
        ("name ILIKE 'B%' OR name ILIKE '%2'", 3_000, "guessed"),
    ],
)
def test_patterns_that_dynamodb_knows_nothing_of_are_looked_for_in_the_sample(
    condition: str, rows: int, confidence: str
) -> None:
    source = scan(f"SELECT pk FROM things WHERE {condition}")
    otherwise = read(replace(ALONE, read_units=20_000.0))
    staged = read(Estimate(10_000, 1, 10_000.0, 0.1), Stage(link(), 10_000, otherwise, DEARER))

    [_, stage] = expected([source, staged], {"a": source, "b": staged})

    assert stage.estimate.read_units == pytest.approx(rows, abs=20)
    first = scan(f"SELECT pk FROM things WHERE {condition} LIMIT 1")
    assert filling(first, 1).estimate.confidence == confidence
    assert "attribute_exists" in first.requests[0].arguments["FilterExpression"]


@pytest.mark.parametrize(
    ("sql", "items"),
    [
        ("SELECT pk FROM things WHERE n = 77 LIMIT 900", 10_000),  # there are not so many
        ("SELECT pk FROM things WHERE n % 7 < 5 LIMIT 10", 10_000),  # nobody is sure which rows meet it
        ("SELECT pk FROM things WHERE n < 50 ORDER BY n LIMIT 10", 10_000),
        ("SELECT pk FROM things WHERE n < 50", 10_000),
        ("SELECT pk FROM things LIMIT 10", 10_000),
        ("SELECT pk FROM things WHERE n = 77 LIMIT 2000", 1_000_000),  # more than a small table has
    ],
)
def test_any_other_read_is_told_as_it_is(sql: str, items: int) -> None:
    whole = scan(sql, items)

    assert stopping(whole) == whole


@pytest.mark.parametrize(
    ("condition", "rows", "item_bytes", "looked_at"),
    [
        ("n < 50", 10, 400, 100),
        ("n = 77", 90, 400, 15_808),
        ("n = 77", 1_000, 400, 1_000_000),  # more than a small table has
        ("n = 77", 500, 1_300, 1_000_000),  # more bytes than that
    ],
)
def test_a_scan_of_a_large_table_is_told_with_what_is_likely_where_a_small_one_might_take_as_much(
    condition: str, rows: int, item_bytes: int, looked_at: int
) -> None:
    """Else it has to be asked for, with all that it may take."""
    large = scan(f"SELECT pk FROM things WHERE {condition} LIMIT {rows}", 1_000_000, item_bytes)
    told = filling(large, rows)

    assert told.estimate.items == looked_at
    assert told.at_most == (large.estimate if looked_at < 1_000_000 else None)


@pytest.mark.parametrize(
    ("own_share", "sql", "looked_at"),
    [
        (0.5, "SELECT * FROM things LIMIT 10", 100),
        (0.01, "SELECT * FROM things LIMIT 10", 1_350),
        (0.01, "SELECT * FROM things WHERE n < 50 LIMIT 10", 2_725),
        (None, "SELECT * FROM things LIMIT 10", 100),  # 0.3 are taken to be its own
        (0.0, "SELECT * FROM things LIMIT 10", 1_000_000),
    ],
)
@pytest.mark.parametrize("form", ["A#{part}", "{part}#A"])
def test_of_a_virtual_table_the_share_of_its_own_items_counts(
    own_share: float | None, sql: str, looked_at: int, form: str
) -> None:
    forms = VirtualTable("things", "all", (("pk", Template.parse(form)),))
    told = filling(scan(sql, 1_000_000, virtual=forms, own_share=own_share), 10)

    assert told.estimate.items == looked_at
    assert told.estimate.confidence == ("guessed" if own_share is None else "estimated")


def scan(sql: str, items: int = 10_000, item_bytes: int = 400, **more: Any) -> Read:
    """A scan of a table whose `n` goes evenly from 0 to 100."""
    spread = Distribution(tuple(map(Decimal, range(101))), sampled=1_000, distinct=101)
    n = Column("n", ColumnType(TypeKind.BIGINT), frozenset({N}), spread=spread)
    names = Distribution(tuple(f"{letter}{digit}" for letter in "abcd" for digit in range(10)), 800, 400)
    texts = (Column(text, ColumnType(TypeKind.VARCHAR), frozenset({S})) for text in ("name", "other"))
    name, other = (replace(column, spread=names if column.name == "name" else None) for column in texts)
    pk = Column("pk", ColumnType(TypeKind.VARCHAR), frozenset({S}), nullable=False)
    things = replace(table((pk, n, name, other), item_count=items, size_bytes=item_bytes * items), **more)
    statement = parse(sql, None)
    [found] = bind(statement, "demo", dict.fromkeys(statement.tables, things)).reads(consistent=False)
    return found


def read(estimate: Estimate, stage: Stage | None = None) -> Read:
    return replace(plan_read(relation([]), consistent=False), estimate=estimate, stage=stage)


def link() -> KeyLink:
    return KeyLink(("k",), (KeySource("a", ("k",)),))
