"""Of an index that lacks columns only as many items are fetched by their keys as a LIMIT or a page needs."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

ITEMS, OF_A_KIND = 3_000, 150
INDEXES = [HeldIndex("by_kind", (("kind", "S"), ("at", "N")), frozenset({"size"}))]
KIND = "kind = 'k7' AND at IS NOT NULL"


def item(number: int) -> dict[str, Any]:
    return {
        "pk": {"S": f"p{number % 500}"},
        "n": {"N": str(number)},
        "kind": {"S": f"k{number % (ITEMS // OF_A_KIND)}"},
        "at": {"N": str(ITEMS - number)},
        "size": {"N": str(number % 11)},
        "text": {"S": f"t{number}"},
        "fill": {"S": "x" * 300},
    }


OF_KIND = [number for number in range(ITEMS) if number % (ITEMS // OF_A_KIND) == 7]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.tables.create("lkp_items", (("pk", "S"), ("n", "N")), INDEXES)
    await service.put("lkp_items", [item(number) for number in range(ITEMS)])


async def test_as_many_items_are_fetched_as_are_wanted(service: Service) -> None:
    sql = f"SELECT text FROM lkp_items WHERE {KIND} LIMIT 5"
    result = await service.run(sql)

    assert len({text for (text,) in result.rows} & {f"t{number}" for number in OF_KIND}) == 5
    assert result.statistics.read_units == 0.5 + 5 * 0.5
    (read,) = (await service.queries().explain_sql(ANN, sql=sql)).reads
    assert (read.index, read.lookup is not None, read.estimate.read_units) == ("by_kind", True, 3.0)


@pytest.mark.parametrize("outputs", ["text", "upper(text)", "*"])
@pytest.mark.parametrize("rows", [1, 7, 120, 149, 150, 151, 400])
async def test_so_are_those_of_any_statement_of_rows(service: Service, outputs: str, rows: int) -> None:
    result = await service.run(f"SELECT {outputs} FROM lkp_items WHERE {KIND} LIMIT {rows}", max_rows=1000)

    assert len(result.rows) == min(rows, OF_A_KIND)
    assert result.statistics.items_read == 2 * min(rows, OF_A_KIND)


async def test_where_rows_are_not_told_apart_by_item_few_are_fetched_at_first(service: Service) -> None:
    result = await service.run(f"SELECT text, random() AS r FROM lkp_items WHERE {KIND} LIMIT 2")

    assert len(result.rows) == 2
    assert result.statistics.items_read < OF_A_KIND


async def test_it_is_read_on_where_other_conditions_leave_too_few(service: Service) -> None:
    wanted = {f"t{number}" for number in OF_KIND if number % 17 == 3}
    result = await service.run(f"SELECT text FROM lkp_items WHERE {KIND} AND n % 17 = 3 LIMIT {len(wanted)}")

    assert {text for (text,) in result.rows} == wanted
    one = await service.run(f"SELECT text FROM lkp_items WHERE {KIND} AND text <> 't7' LIMIT 1")
    assert (len(one.rows), one.statistics.items_read) == (1, 200)  # a hundred keys are looked at first


async def test_a_page_fetches_no_more_than_its_rows(service: Service) -> None:
    found: list[Any] = []
    cursor, pages = None, 0
    while True:
        replica = service.replica() if pages % 2 else service.queries()
        sql = f"SELECT text, n FROM lkp_items WHERE {KIND}"
        page = await replica.run_sql(ANN, sql=sql, max_rows=40, cursor=cursor)
        assert page.statistics.items_read <= 2 * 41
        found += page.rows
        cursor, pages = page.next_cursor, pages + 1
        if cursor is None:
            break

    assert pages == 4
    assert sorted(found, key=lambda row: row[1]) == [[f"t{number}", number] for number in OF_KIND]


async def test_pages_of_several_partitions_hold_each_item_once(service: Service) -> None:
    sql = "SELECT n FROM lkp_items WHERE kind IN ('k1', 'k2', 'k9') AND at > 100 AND size <> 3"
    wanted = [n for n in range(ITEMS) if n % 20 in (1, 2, 9) and ITEMS - n > 100 and n % 11 != 3]
    found: list[int] = []
    cursor = None
    while True:
        page = await service.run(sql, max_rows=37, cursor=cursor)
        found += [n for (n,) in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(found) == wanted


async def test_the_order_of_an_index_is_not_taken_for_that_of_its_items(service: Service) -> None:
    """An item may have another value by now than the index tells."""
    sql = f"SELECT text FROM lkp_items WHERE {KIND} ORDER BY at LIMIT 3"
    result = await service.run(sql)

    assert result.rows == [[f"t{number}"] for number in OF_KIND[:-4:-1]]
    assert result.statistics.items_read == 2 * OF_A_KIND


async def test_a_budget_ends_a_page(service: Service) -> None:
    with pytest.raises(Failure) as failure:
        await service.run(f"SELECT text FROM lkp_items WHERE {KIND}", max_rows=100, max_read_units=10.0)

    assert failure.value.code == FailureCode.BUDGET_EXCEEDED
