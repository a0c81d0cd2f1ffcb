"""The least and the greatest value of a sort key are read together, from both ends of the partition."""

import random
from typing import Any

import pytest

from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

SIZES = {"p0": 0, "p1": 1, "p2": 2, "p3": 80, "p4": 120}
NUMBERS = {pk: [7 * number % 1000 - 300 for number in range(size)] for pk, size in SIZES.items()}
"""The sort keys of each partition."""


def item(pk: str, number: int) -> dict[str, Any]:
    found = {"pk": {"S": pk}, "n": {"N": str(number)}, "state": {"S": f"s{pk}"}, "fill": {"S": "x" * 900}}
    return found | ({"at": {"N": str(number)}} if number % 3 else {})


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.tables.create(
        "end_items", (("pk", "S"), ("n", "N")), [HeldIndex("by_at", (("state", "S"), ("at", "N")))]
    )
    await service.put("end_items", [item(pk, number) for pk, numbers in NUMBERS.items() for number in numbers])


@pytest.mark.parametrize("pk", SIZES)
@pytest.mark.parametrize("outputs", ["min(n), max(n)", "max(n), min(n) AS least, max(n)"])
async def test_both_ends_of_a_partition_are_read(service: Service, pk: str, outputs: str) -> None:
    result = await service.run(f"SELECT {outputs} FROM end_items WHERE pk = '{pk}'")

    numbers: list[Any] = [*NUMBERS[pk]] or [None]
    least, greatest = min(numbers), max(numbers)
    assert result.rows == [[least, greatest] if outputs.startswith("min") else [greatest, least, greatest]]
    assert result.statistics.items_read == (2 if SIZES[pk] else 0)
    assert result.statistics.read_units == 1


async def test_items_without_the_column_do_not_count(service: Service) -> None:
    result = await service.run("SELECT min(at), max(at) FROM end_items WHERE state = 'sp4'")

    numbers = [number for number in NUMBERS["p4"] if number % 3]
    assert (result.rows, result.statistics.items_read) == ([[min(numbers), max(numbers)]], 2)


@pytest.mark.parametrize(
    ("outputs", "condition"),
    [
        ("min(n), max(n)", "pk = 'p4' AND fill <> 'y'"),
        ("min(n), max(n)", "pk = 'p4' AND n % 2 = 0"),
        ("min(n), max(n), count(*)", "pk = 'p4'"),
        ("min(n), max(at)", "pk = 'p4'"),
        ("min(n), max(n) FILTER (n < 9)", "pk = 'p4'"),
    ],
)
async def test_all_of_it_is_read_where_the_ends_do_not_tell(service: Service, outputs: str, condition: str) -> None:
    result = await service.run(f"SELECT {outputs} FROM end_items WHERE {condition}")
    assert result.statistics.read_units > 10


async def test_a_partition_whose_ends_take_as_much_is_read_at_once(service: Service) -> None:
    small = [{"pk": {"S": f"p{number % 40}"}, "n": {"N": str(number)}} for number in range(200)]
    await service.create("end_small", small, range_key="n")
    (read,) = (
        await service.queries().explain_sql(ANN, sql="SELECT min(n), max(n) FROM end_small WHERE pk = 'p3'")
    ).reads

    assert (read.access, len(read.requests), read.enough) == ("Query", 1, None)


async def test_explain_says_what_both_ends_take(service: Service) -> None:
    explained = await service.queries().explain_sql(ANN, sql="SELECT min(n), max(n) FROM end_items WHERE pk = 'p4'")

    (read,) = explained.reads
    assert (read.estimate.items, read.estimate.read_units) == (2, 1.0)
    assert "stops after: 1 items of each request" in explained.plan


async def test_random_ranges_have_the_ends_that_all_items_tell(service: Service) -> None:
    dice = random.Random(5)
    for _ in range(40):
        pk, low, high = dice.choice([*SIZES]), dice.randint(-400, 600), dice.randint(-400, 600)
        condition, wanted = dice.choice(
            [
                (f"n > {low}", [n for n in NUMBERS[pk] if n > low]),
                (f"n <= {high}", [n for n in NUMBERS[pk] if n <= high]),
                (f"n BETWEEN {low} AND {high}", [n for n in NUMBERS[pk] if low <= n <= high]),
                (f"n >= {low} AND n < {high}", [n for n in NUMBERS[pk] if low <= n < high]),
                (f"n IN ({low}, {high}, 0, 7, -300)", [n for n in NUMBERS[pk] if n in (low, high, 0, 7, -300)]),
            ]
        )
        result = await service.run(f"SELECT min(n), max(n) FROM end_items WHERE pk = '{pk}' AND {condition}")
        assert result.rows == [[min(wanted, default=None), max(wanted, default=None)]], condition
