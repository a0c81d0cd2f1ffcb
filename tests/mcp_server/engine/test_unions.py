"""A disjunction whose parts name different keys is read by each of them; an item that several yield counts once."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.planning.plan import Read
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

ITEMS = 400
INDEXES = [
    HeldIndex("by_owner", (("owner", "S"), ("n", "N"))),
    HeldIndex("by_kind", (("kind", "S"), ("at", "N")), frozenset()),
    HeldIndex("by_code", (("code", "N"),), frozenset({"at"})),
]
EITHER = "pk = 'p3' OR owner IN ('o3', 'o5') AND n IS NOT NULL"


def item(number: int) -> dict[str, Any]:
    """Of ten partitions, twenty owners, twenty kinds and forty codes, of which some items have none."""
    return {
        "pk": {"S": f"p{number % 10}"},
        "n": {"N": str(number // 10)},
        "total": {"N": str(number % 7)},
        "fill": {"S": "x" * 500},
        **({"owner": {"S": f"o{number % 20}"}} if number % 3 else {}),
        **({"kind": {"S": f"k{number % 20}"}, "at": {"N": str(number)}} if number % 5 else {}),
        **({"code": {"N": str(number % 40)}} if number % 2 else {}),
    }


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.tables.create("uni_items", (("pk", "S"), ("n", "N")), INDEXES)
    await service.put("uni_items", [item(number) for number in range(ITEMS)])
    await service.tables.create("uni_kinds", (("pk", "S"), ("n", "N")), [HeldIndex("by_g", (("g", "S"),))])
    await service.put(
        "uni_kinds",
        [
            {
                "pk": {"S": f"P#{number % 10}" if number % 9 else f"Q#{number % 10}"},
                "n": {"N": str(number)},
                "g": {"S": f"G#{number % 20}" if number % 11 else f"H#{number % 20}"},
                "note": {"S": "x" * 500},
                "visible": {"S": "yes" if number % 4 else "no"},
            }
            for number in range(ITEMS)
        ],
    )


async def read_of(service: Service, sql: str) -> Read:
    (read,) = (await service.queries().explain_sql(ANN, sql=sql)).reads
    return read


async def rows_by_scan(service: Service, columns: str, condition: str, table: str = "uni_items") -> Counter[str]:
    sql = f"SELECT {columns} FROM {table} WHERE CASE WHEN {condition} THEN true ELSE false END"
    assert (await read_of(service, sql)).access == "Scan"
    return Counter(map(repr, (await service.run(sql, max_rows=1000)).rows))


async def test_an_item_of_several_branches_is_there_once_though_its_key_is_not_asked_for(service: Service) -> None:
    result = await service.run(f"SELECT total FROM uni_items WHERE {EITHER}", max_rows=1000)

    wanted = [n for n in range(ITEMS) if n % 10 == 3 or (n % 20 in (3, 5) and n % 3)]
    assert sorted(result.rows) == sorted([n % 7] for n in wanted)
    assert (len(wanted), result.statistics.items_read) == (40 + 14, 40 + 14 + 13)  # 13 of the partition are those of o3


async def test_they_are_counted_once(service: Service) -> None:
    both = "pk = 'p3' OR owner = 'o3' AND n IS NOT NULL"
    assert await service.rows(f"SELECT count(*) FROM uni_items WHERE {both}") == [[40]]
    assert (await read_of(service, f"SELECT count(*) FROM uni_items WHERE {both}")).access == "Union"


@pytest.mark.parametrize(
    ("condition", "ways"),
    [
        (EITHER, [("Query", None), ("Query", "by_owner")]),
        ("pk = 'p1' AND n = 3 OR code = 7", [("GetItem", None), ("Query", "by_code")]),
        ("code IN (1, 3) OR pk IN ('p1', 'p2') AND n < 3", [("Query", "by_code"), ("Query", None)]),
        (
            "code = 7 OR pk = 'p1' AND n > 30 OR owner = 'o7' AND n < 9",
            [("Query", "by_code"), ("Query", None), ("Query", "by_owner")],
        ),
        ("(code = 7 OR owner = 'o7') AND n < 9", [("Query", "by_code"), ("Query", "by_owner")]),
        ("(code = 7 AND total > 2 OR pk = 'p1') AND total < 5", [("Query", "by_code"), ("Query", None)]),
        ("kind = 'k3' AND at > 7 OR pk = 'p1'", [("Query", "by_kind"), ("Query", None)]),
        ("(pk = 'p1' AND pk = 'p2' OR code = 5) AND n > 1", None),
        ("pk = 'p1' OR owner = 'o3'", [("Query", None), ("Query", "by_owner")]),
        ("pk = 'p1' OR kind = 'k3'", None),  # items without `at` are not in the index
        ("pk = 'p1' OR total = 3", None),
    ],
)
async def test_it_is_read_by_the_keys_that_its_parts_name(
    service: Service, condition: str, ways: list[tuple[str, str | None]] | None
) -> None:
    read = await read_of(service, f"SELECT n, total FROM uni_items WHERE {condition}")

    assert (read.access == "Union") == (ways is not None)
    assert [(one.access, one.index) for one in read.branches] == (ways or [])
    result = await service.run(f"SELECT n, total FROM uni_items WHERE {condition}", max_rows=1000)
    assert Counter(map(repr, result.rows)) == await rows_by_scan(service, "n, total", condition)


async def test_columns_that_an_index_lacks_are_fetched_by_key(service: Service) -> None:
    sql = "SELECT total FROM uni_items WHERE kind = 'k3' AND at > 7 OR pk = 'p1'"
    kinds, partition = (await read_of(service, sql)).branches

    assert (kinds.index, kinds.lookup is not None, partition.lookup) == ("by_kind", True, None)


async def test_a_warning_tells_the_remedy_for_the_part_whose_index_lacks_items(service: Service) -> None:
    condition = "pk = 'p1' OR kind = 'k3'"
    scanned = await service.run(f"SELECT n FROM uni_items WHERE {condition}", max_rows=1000)
    united = await service.run(f"SELECT n FROM uni_items WHERE {condition} AND at IS NOT NULL", max_rows=1000)

    [warning] = scanned.warnings
    assert warning.startswith('Table "uni_items" was scanned. Index "by_kind" (about ')
    assert "add at IS NOT NULL to each part of the OR that names kind" in warning
    assert sorted(united.rows) == sorted(scanned.rows)
    assert united.statistics.read_units < scanned.statistics.read_units
    assert united.warnings == ()


async def test_explain_says_so_and_weighs_it_against_the_scan(service: Service) -> None:
    explained = await service.queries().explain_sql(ANN, sql=f"SELECT n FROM uni_items WHERE total < 3 AND ({EITHER})")

    (read,) = explained.reads
    assert read.reason.startswith('Each part of an OR names a key: Query of the table, Query of index "by_owner".')
    assert read.key_condition is not None
    assert read.key_condition.startswith("pk = 'p3' OR owner IN ('o3', 'o5')")
    assert read.pushed_filters == ("total < 3",)
    assert read.residual_filters == ()
    assert [(other.access, other.reason) for other in read.alternatives] == [("Scan", "it takes more read units")]
    assert "Union shop.uni_items (3 requests)" in explained.plan


async def test_a_scan_is_made_where_the_branches_take_more(service: Service) -> None:
    kinds = ", ".join(f"'k{number}'" for number in range(20))
    read = await read_of(service, f"SELECT total FROM uni_items WHERE pk = 'p1' OR kind IN ({kinds}) AND at > 0")

    assert (read.access, [other.access for other in read.alternatives]) == ("Scan", ["Union"])


async def test_consistent_reads_use_no_global_index(service: Service) -> None:
    explained = f"SELECT n FROM uni_items WHERE {EITHER}"
    plain = await service.run(explained, max_rows=1000)
    consistent = await service.run(explained, max_rows=1000, consistent_read=True)

    assert Counter(map(repr, consistent.rows)) == Counter(map(repr, plain.rows))
    assert consistent.statistics.read_units > 50 > 10 > plain.statistics.read_units  # a scan, at twice the price


async def test_it_comes_in_pages(service: Service) -> None:
    sql = f"SELECT n, total FROM uni_items WHERE {EITHER}"
    found, cursor = Counter[str](), None
    while True:
        page = await service.run(sql, max_rows=20, cursor=cursor)
        found.update(map(repr, page.rows))
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == await rows_by_scan(service, "n, total", EITHER)


async def test_a_budget_ends_it(service: Service) -> None:
    with pytest.raises(Failure) as failure:
        await service.run(f"SELECT total FROM uni_items WHERE {EITHER}", max_read_units=1.0)

    assert failure.value.code == FailureCode.BUDGET_EXCEEDED


async def test_it_is_expected_to_take_what_it_took(service: Service) -> None:
    sql = f"SELECT total FROM uni_items WHERE total > 1 AND ({EITHER})"
    took = (await service.run(sql, max_rows=1000)).statistics
    queries = service.queries()
    await queries.run_sql(ANN, sql=sql, max_rows=1000)

    estimate = (await queries.explain_sql(ANN, sql=sql)).reads[0].estimate
    assert (estimate.read_units, estimate.confidence) == (took.read_units, "observed")


async def test_parts_of_keys_of_virtual_tables_are_read_so_too(service: Service) -> None:
    condition = "part = '3' OR kind = '14'"
    read = await read_of(service, f"SELECT n, note FROM uni_parts WHERE {condition}")
    result = await service.run(f"SELECT n, note FROM uni_parts WHERE {condition}", max_rows=1000)

    assert [one.index for one in read.branches] == [None, "by_g"]
    assert Counter(map(repr, result.rows)) == await rows_by_scan(service, "n, note", condition, "uni_parts")
    wanted = [n for n in range(ITEMS) if n % 9 and n % 11 and n % 4 and (n % 10 == 3 or n % 20 == 14)]
    assert sorted(n for n, _ in result.rows) == wanted


async def test_a_type_that_no_sample_has_is_met_in_a_branch(service: Service) -> None:
    await service.tables.create("uni_odd", (("pk", "S"), ("n", "N")), INDEXES[:1])
    await service.put("uni_odd", [item(number) for number in range(ITEMS)])
    sql = f"SELECT total FROM uni_odd WHERE ({EITHER}) AND total >= 0"
    assert len((await service.run(sql, max_rows=1000)).rows) == 54
    odd = {**item(3), "n": {"N": "1000"}, "total": {"N": "2.5"}, "owner": {"S": "o5"}}
    await service.put("uni_odd", [odd])

    result = await service.run(sql, max_rows=1000)

    assert (await read_of(service, sql)).access == "Union"
    assert len(result.rows) == 55
    assert Decimal("2.5") in {Decimal(total) for (total,) in result.rows}


@pytest.mark.parametrize("seed", range(3))
async def test_random_disjunctions_have_the_rows_of_a_scan(service: Service, seed: int) -> None:
    dice, united = random.Random(seed), 0

    def part() -> str:
        n = dice.randrange(45)
        return dice.choice(
            [
                f"pk = 'p{n % 11}'",
                f"pk = 'p{n % 11}' AND n = {dice.randrange(45)}",
                f"pk IN ('p{n % 11}', 'p{n % 3}') AND n < {n}",
                f"owner = 'o{n % 21}'",
                f"owner IN ('o{n % 21}', 'o{n % 4}') AND n > {n}",
                f"kind = 'k{n % 21}' AND at >= {8 * n}",
                f"code = {n}",
                f"code IN ({n}, 1, 3) AND total < {n % 7}",
                f"(pk = 'p{n % 11}' AND n = 3 OR code = {n})",
            ]
        )

    for _ in range(25):
        condition = " OR ".join(part() for _ in range(dice.choice([2, 2, 3, 4])))
        if dice.random() < 0.3:
            condition = f"({condition}) AND {dice.choice(['total > 2', 'n % 2 = 1', 'code IS NULL', 'n < 20'])}"
        columns = dice.choice(["n", "total", "pk, n, owner", "*", "count(*)", "sum(total)"])
        result = await service.run(f"SELECT {columns} FROM uni_items WHERE {condition}", max_rows=1000)
        united += (await read_of(service, f"SELECT {columns} FROM uni_items WHERE {condition}")).access == "Union"
        assert Counter(map(repr, result.rows)) == await rows_by_scan(service, columns, condition), condition
    assert united > 10
