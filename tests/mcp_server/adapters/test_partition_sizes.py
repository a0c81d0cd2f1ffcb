"""How large partitions are, told from the beginnings of a scan's segments."""

import random
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.adapters.partition_sizes import with_partition_sizes
from mcp_server.domain.schema import AttributeType, Index, KeyAttribute, Table

S, N = AttributeType.STRING, AttributeType.NUMBER
BY_CUSTOMER = Index("by_customer", "GSI", (KeyAttribute("customer", N),), (), None)
BY_DAY = Index("by_day", "LSI", (KeyAttribute("pk", S),), (KeyAttribute("day", S),), None)
SEGMENTS, SAMPLED = 8, 100


def table(count: int) -> Table:
    return Table(
        schema="demo",
        name="lines",
        physical_name="lines",
        hash_key=KeyAttribute("pk", S),
        range_key=KeyAttribute("sk", N),
        indexes=(BY_CUSTOMER, BY_DAY),
        columns=(),
        item_count=count,
        size_bytes=count * 100,
        refreshed_at=0,
    )


def sampled(sizes: list[int], customers: int, *, every: int = 1) -> Table:
    """The table of partitions of these sizes, sampled as the catalogue does; every n-th item has a customer."""
    draw = random.Random(7)
    items: list[list[dict[str, Any]]] = [[] for _ in range(SEGMENTS)]
    for number, size in enumerate(sizes):
        items[number * SEGMENTS // len(sizes)] += [
            {"pk": {"S": f"p{number}"}, "sk": {"N": str(line)}}
            | ({"customer": {"N": str(draw.randrange(customers))}} if draw.randrange(every) == 0 else {})
            for line in range(size)
        ]
    return with_partition_sizes(table(sum(sizes)), [segment[:SAMPLED] for segment in items])


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[4] * 15_000, [1, 7] * 5_000, [60] * 500, [1] * 20_000])
def test_a_scans_own_order_tells_the_size_of_partitions(sizes: list[int]) -> None:
    mean = sum(sizes) / len(sizes)
    found = sampled(sizes, 1000)
    assert found.partition_items == pytest.approx(mean, rel=0.2)
    assert found.indexes[1].partition_items == found.partition_items


def test_partitions_that_outgrow_the_sample_are_not_guessed() -> None:
    assert sampled([1000] * 40, 10).partition_items is None


def test_partitions_that_outgrow_the_sample_count_at_least_with_what_was_seen() -> None:
    size = sampled([1, 1000] * 40, 10).partition_items
    assert size is not None
    assert size > 20


def test_a_table_that_was_read_whole_is_known_exactly() -> None:
    found = sampled([3, 1, 4, 1, 5, 9, 2, 6], 1)
    assert found.partition_items == 31 / 8
    assert found.indexes[0].partition_items == 31


@pytest.mark.parametrize("customers", [1, 5, 200, 3_000, 20_000])
def test_repeated_values_tell_the_size_of_an_indexs_partitions(customers: int) -> None:
    size = sampled([1] * 20_000, customers).indexes[0].partition_items
    assert size is not None
    assert 20_000 / customers / 3 < size < max(20_000 / customers, 1.6) * 3


def test_only_items_that_are_in_the_index_count() -> None:
    size = sampled([1] * 20_000, 5, every=10).indexes[0].partition_items
    assert size == pytest.approx(2_000 / 5, rel=0.3)


def test_nothing_is_known_of_an_empty_table() -> None:
    found = with_partition_sizes(replace(table(0)), [[] for _ in range(SEGMENTS)])
    assert (found.partition_items, found.indexes[0].partition_items) == (None, None)
