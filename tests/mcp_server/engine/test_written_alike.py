"""Whoever compares a column with a text that is written otherwise than all its values is told how they are written."""

from typing import Any

import pytest

from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

TABLE = "alike_orders"
KEY = 'Every sampled "pk" of "alike_orders" is written like \'ORDER#0000\'; none '
AT = '"at" of "alike_orders" '
TIMES = "like '2026-01-01T00:00:00Z'"
NO_SMALL = 'No sampled "kind" of "alike_orders" has small letters, as '


def misread(text: str) -> str:
    """The warning of a text in another order than the values."""
    return f"{AT}is compared as text and written {TIMES}; {text} is not, so write it so."


def none_of(day: str, following: str) -> str:
    """The warning of a last day that is left out."""
    return f"{AT}holds times {TIMES}: up to {day} is none of that day. Write < {following}."


@pytest.fixture(scope="module", autouse=True)
async def orders(service: Service) -> None:
    items: list[dict[str, Any]] = [
        {
            "pk": {"S": f"ORDER#{number:04d}"},
            "at": {"S": f"2026-{number % 9 + 1:02d}-{number % 28 + 1:02d}T{number % 24:02d}:00:00Z"},
            "kind": {"S": f"{'LARGE' if number % 2 else 'SMALL'} STEEL {number}"},
            "name": {"S": f"Item {'x' * (number % 7)}{number}"},
        }
        for number in range(60)
    ]
    await service.create(TABLE, items)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pk = 'ORDER#12'", KEY + "is 'ORDER#12'."),
        ("pk = '0012'", KEY + "is '0012'."),
        ("pk = 'order#0012'", KEY + "is 'order#0012'."),
        ("pk IN ('ORDER#0012', 'ORDER-0013')", KEY + "is 'ORDER-0013'."),
        ("starts_with(pk, 'Order')", KEY + "begins like 'Order'."),
        ("pk LIKE 'order#%'", KEY + "begins like 'order#%'."),
        ("pk LIKE 'ORDER#00%'", None),
        ("pk LIKE '%12'", None),
        ("pk = 'ORDER#9999'", None),
        ("pk > 'ORDER#'", None),
        ("pk BETWEEN 'ORDER#' AND 'ORDER~'", None),
        ("at = '2026-03-05'", f"Every sampled {AT}is written {TIMES}; none is '2026-03-05'."),
        ("at < '2026-03-05 12:00:00'", misread("'2026-03-05 12:00:00'")),
        ("at >= '3/5/2026'", misread("'3/5/2026'")),
        ("'2026-3-5' > at", misread("'2026-3-5'")),
        ("at BETWEEN '2026-03-01' AND '2026-03-31'", none_of("'2026-03-31'", "'2026-04-01'")),
        ("at <= '2026-02-28'", none_of("'2026-02-28'", "'2026-03-01'")),
        ("'2026-02-28' >= at", none_of("'2026-02-28'", "'2026-03-01'")),
        ("at >= '2026-03-01' AND at < '2026-04-01'", None),
        ("at >= '2026-03' AND at < '2026-04'", None),
        ("at <= '2026-03-31T23:59:59Z'", None),
        ("at <= '9999-12-31'", None),
        ("at LIKE '2026-03%'", None),
        ("kind LIKE '%steel%'", f"{NO_SMALL}'%steel%' has; write '%STEEL%'."),
        ("contains(kind, 'Steel')", f"{NO_SMALL}'Steel' has; write 'STEEL'."),
        ("kind ILIKE '%steel%'", None),
        ("lower(kind) LIKE '%steel%'", None),
        ("kind > 'steel'", None),
        ("name = 'item 1'", None),
    ],
)  # fmt: skip
async def test_a_text_that_is_written_otherwise(service: Service, condition: str, expected: str | None) -> None:
    result = await service.run(f"SELECT count(*) FROM {TABLE} WHERE {condition}")
    assert list(result.warnings) == ([expected] if expected is not None else [])


async def test_one_plan_for_all_values_tells_of_those_alone_that_are_written_otherwise(service: Service) -> None:
    queries = service.queries()
    for _ in range(3):  # the third plan is one with slots
        for key, warned in (("ORDER#12", True), ("ORDER#0012", False)):
            result = await queries.run_sql(ANN, sql=f"SELECT pk FROM {TABLE} WHERE pk = ?", parameters=[key])
            assert bool(result.warnings) == warned
            assert len(result.rows) == (0 if warned else 1)


async def test_unlike_texts_tell_nothing(service: Service) -> None:
    await service.create("alike_not", [{"pk": {"S": "p" * (number + 1)}} for number in range(50)])
    assert (await service.run("SELECT count(*) FROM alike_not WHERE pk = '42'")).warnings == ()
