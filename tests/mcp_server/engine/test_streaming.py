"""Statements that make a row of each item are read page by page: as far as a page needs, and on from its last row."""

import base64
from random import Random
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from tests.mcp_server.engine.conftest import ANN, EVE, Service

pytestmark = pytest.mark.anyio

PADDING = "x" * 8000


@pytest.fixture(scope="module")
async def tables(service: Service) -> None:
    """str_orders: 300 single items; str_lines: partitions `a` of 40 lines and `b` of 7; str_wide: 5 MB in segments."""
    orders = [{"pk": {"S": f"o{number}"}, "n": {"N": str(number)}} for number in range(300)]
    await service.create("str_orders", orders)
    lines = [{"pk": {"S": "a"}, "n": {"N": str(number)}, "even": {"BOOL": number % 2 == 0}} for number in range(40)]
    lines += [{"pk": {"S": "b"}, "n": {"N": f"{number}.5"}} for number in range(7)]
    await service.create("str_lines", lines, range_key="n")
    wide = [{"pk": {"S": f"w{number}"}, "n": {"N": str(number)}, "t": {"S": PADDING}} for number in range(640)]
    await service.create("str_wide", wide)


async def pages(service: Service, sql: str, max_rows: int, **arguments: Any) -> list[QueryResult]:
    """All pages of a statement, each from a replica of its own."""
    found = [await service.run(sql, max_rows=max_rows, **arguments)]
    while found[-1].next_cursor is not None:
        assert len(found) < 1000
        found.append(await service.run(sql, max_rows=max_rows, cursor=found[-1].next_cursor, **arguments))
    return found


def rows(found: list[QueryResult]) -> list[list[Any]]:
    return [row for page in found for row in page.rows]


async def test_a_page_of_a_table_reads_one_small_page(service: Service, tables: None) -> None:
    page = await service.run("SELECT * FROM str_orders", max_rows=10)
    assert (len(page.rows), page.stop_reason) == (10, "row_limit")
    assert (page.statistics.pages_read, page.statistics.read_units) == (1, 0.5)
    assert page.statistics.items_read == 11  # one more tells that a page follows


async def test_nothing_is_kept_between_pages(service: Service, tables: None) -> None:
    """Whoever has the key goes on: here a service with a spool of its own."""
    first = await service.run("SELECT n FROM str_orders", max_rows=200)
    assert first.next_cursor is not None
    second = await service.replica().run_sql(
        ANN, sql="SELECT n FROM str_orders", max_rows=200, cursor=first.next_cursor
    )
    assert sorted(rows([first, second])) == [[number] for number in range(300)]
    assert (second.next_cursor, second.stop_reason) == (None, "complete")
    assert second.statistics.items_read == 100


@pytest.mark.parametrize("max_rows", [1, 7, 20, 39, 40, 41])
@pytest.mark.parametrize(("order", "step"), [("", 1), (" ORDER BY n", 1), (" ORDER BY l.n DESC", -1)])
async def test_a_partition_comes_in_its_order(
    service: Service, tables: None, max_rows: int, order: str, step: int
) -> None:
    found = await pages(service, f"SELECT n, even FROM str_lines l WHERE pk = 'a'{order}", max_rows)
    assert [int(float(row[0])) for row in rows(found)] == list(range(40))[::step]
    # The last page knows that it is the last, also where it is full.
    assert [len(page.rows) for page in found[:-1]] == [max_rows] * (len(found) - 1)
    assert len(found) == -(-40 // max_rows)
    assert sum(page.statistics.items_read for page in found) <= 40 + len(found)


async def test_several_partitions_are_read_one_after_the_other(service: Service, tables: None) -> None:
    found = await pages(service, "SELECT pk, n FROM str_lines WHERE pk IN ('b', 'c', 'a')", 9)
    assert len({tuple(row) for row in rows(found)}) == len(rows(found)) == 47


@pytest.mark.complaint(15)
@pytest.mark.parametrize("max_rows", [13, 50, 1000])
@pytest.mark.parametrize(
    ("condition", "count"),
    [("n % 7 = 3", 43), ("n < 5", 5), ("n >= 0", 300), ("upper(pk) LIKE 'O1%'", 111), ("n > 1000", 0)],
)
async def test_conditions_take_as_many_small_pages_as_they_need(
    service: Service, tables: None, condition: str, count: int, max_rows: int
) -> None:
    found = await pages(service, f"SELECT pk, n + 1 AS m FROM str_orders WHERE {condition}", max_rows)
    assert len({row[0] for row in rows(found)}) == len(rows(found)) == count
    assert all(len(page.rows) == max_rows for page in found[:-1])
    assert [column.name for column in found[-1].columns] == ["pk", "m"]


@pytest.mark.parametrize(("condition", "count"), [("", 640), (" WHERE n % 100 = 1", 7), (" WHERE n % 3 = 0", 214)])
async def test_segments_are_read_to_their_ends(service: Service, tables: None, condition: str, count: int) -> None:
    found = await pages(service, f"SELECT n FROM str_wide{condition}", 100)
    assert len({row[0] for row in rows(found)}) == len(rows(found)) == count


async def test_a_page_ends_where_its_bytes_do(service: Service, tables: None) -> None:
    found = await pages(service, "SELECT n, t FROM str_wide", 1000)
    assert sorted(row[0] for row in rows(found)) == list(range(640))
    assert all(8000 * len(page.rows) < 1_000_000 for page in found)


@pytest.mark.parametrize("order", ["", " ORDER BY n DESC"])
async def test_the_row_that_a_cursor_names_may_be_gone(service: Service, order: str) -> None:
    name = f"str_gone_{'d' if order else 'u'}"
    await service.create(name, [{"pk": {"S": "a"}, "n": {"N": str(number)}} for number in range(9)], range_key="n")
    sql = f"SELECT n FROM {name} WHERE pk = 'a'{order}"
    first = await service.run(sql, max_rows=4)
    await service.tables.delete(name, {"pk": {"S": "a"}, "n": {"N": str(first.rows[-1][0])}})
    second = await service.run(sql, max_rows=9, cursor=first.next_cursor)
    assert sorted(rows([first, second])) == [[number] for number in range(9)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT DISTINCT n FROM str_lines",
        "SELECT n, row_number() OVER (ORDER BY pk, n) FROM str_lines",
        "SELECT n FROM str_lines ORDER BY n",
        "SELECT n FROM str_lines ORDER BY pk, n",
        "SELECT pk, count(*) FROM str_lines GROUP BY pk, n",
        "SELECT a.n FROM str_lines a, str_lines b WHERE a.n = b.n AND a.pk = b.pk",
        "SELECT unnest([n, n]) FROM str_lines",
        "SELECT random() FROM str_lines",
        "SELECT n FROM str_lines WHERE n IN (SELECT n FROM str_lines)",
        "SELECT n FROM str_lines UNION ALL SELECT n FROM str_lines",
    ],
)
async def test_pages_of_other_statements_read_once(service: Service, tables: None, sql: str) -> None:
    found = await pages(service, sql, 10)
    assert found[0].statistics.items_read >= 47
    assert len(found) > 1
    assert all(page.statistics.items_read == 0 for page in found[1:])


@pytest.mark.complaint(14)
async def test_a_cursor_serves_nobody_else_and_no_other_statement(service: Service, tables: None) -> None:
    sql = "SELECT n FROM str_lines WHERE pk = $pk"
    cursor = (await service.run(sql, max_rows=5, parameters={"pk": "a"})).next_cursor
    for other, principal in (({"pk": "b"}, ANN), ({"pk": "a"}, EVE)):
        with pytest.raises(Failure) as caught:
            await service.run(sql, principal, max_rows=5, parameters=other, cursor=cursor)
        assert caught.value.code is FailureCode.CURSOR_INVALID


async def test_a_cursor_tells_no_key(service: Service) -> None:
    """Keys say where a page ends, also where the statement selects other columns."""
    items = [{"pk": {"S": "ssn-078-05-1120"}, "n": {"N": str(4_711_000 + number)}} for number in range(9)]
    await service.create("str_keys", items, range_key="n")
    cursor = (await service.run("SELECT n % 2 FROM str_keys", max_rows=5)).next_cursor
    assert cursor is not None
    encoded = cursor.partition("_")[2]
    sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    assert not any(text in sealed for text in (b"ssn-078", b"4711", b"pk", b"str_keys"))
    assert len(cursor) < 400


async def test_a_table_made_anew_ends_its_cursors(service: Service) -> None:
    await service.create("str_anew", [{"pk": {"S": f"k{number}"}} for number in range(9)])
    cursor = (await service.run("SELECT pk FROM str_anew", max_rows=5)).next_cursor
    await service.tables.drop("str_anew")
    await service.create("str_anew", [{"pk": {"S": "k"}, "n": {"N": "1"}}], range_key="n")
    with pytest.raises(Failure) as caught:
        await service.run("SELECT pk FROM str_anew", max_rows=5, cursor=cursor)
    assert caught.value.code is FailureCode.CURSOR_EXPIRED


async def test_a_type_that_is_met_on_a_later_page_is_learnt_there(service: Service) -> None:
    items = [{"pk": {"S": "a"}, "n": {"N": str(number)}, "v": {"N": "1"}} for number in range(9)]
    await service.create("str_types", items, range_key="n")
    sql = "SELECT n, v FROM str_types WHERE pk = 'a'"
    first = await service.run(sql, max_rows=5)
    await service.put("str_types", [{"pk": {"S": "a"}, "n": {"N": "8"}, "v": {"S": "late"}}])
    second = await service.run(sql, max_rows=5, cursor=first.next_cursor)
    assert [row[0] for row in rows([first, second])] == list(range(9))
    assert second.rows[-1] == [8, "late"]


async def test_a_list_of_a_large_table_needs_no_permission_to_scan_it(service: Service, tables: None) -> None:
    queries = service.queries(full_scan_items=100)
    page = await queries.run_sql(ANN, sql="SELECT n FROM str_orders", max_rows=50)
    assert len(page.rows) == 50


async def test_what_was_allowed_counts_for_later_pages(service: Service, tables: None) -> None:
    async def read(queries: QueryService, **arguments: Any) -> QueryResult:
        return await queries.run_sql(ANN, sql="SELECT n FROM str_orders WHERE n % 2 = 0", max_rows=60, **arguments)

    queries = service.queries(full_scan_items=50)
    unasked = await read(queries)
    assert (len(unasked.rows) < 60, unasked.stop_reason) == (True, "scan_limit")
    first = await read(queries, allow_full_scan=True, consistent_read=True)
    later = await read(queries, cursor=first.next_cursor)
    assert (len(later.rows), later.stop_reason) == (60, "row_limit")


async def test_a_budget_ends_a_page(service: Service, tables: None) -> None:
    with pytest.raises(Failure) as caught:
        await service.run("SELECT n FROM str_wide WHERE n < 0", max_read_units=20.0)
    assert caught.value.code is FailureCode.BUDGET_EXCEEDED


@pytest.mark.parametrize("columns", ["*", "pk, n, price, flag, day, raw", "pk AS p, n"])
async def test_parts_of_a_page_may_be_small_and_large(service: Service, columns: str) -> None:
    """Few items may be answered without the relational engine, many by it: their rows make one page."""
    items: list[dict[str, Any]] = [
        {
            "pk": {"S": f"k{number}"},
            "n": {"N": str(number)},
            "price": {"N": f"{number}.25"},
            "day": {"S": "2026-01-05"},
            "flag": {"BOOL": number % 2 == 0},
            "raw": {"B": b"\x00\x01"},
            "tags": {"L": [{"S": "a"}, {"S": "b"}]},
            "odd": {"M": {"x": {"N": str(number)}}},
            "names": {"SS": ["a"]},
        }
        for number in range(400)
    ]
    name = f"str_mixed_{len(columns)}"
    await service.create(name, items)
    sql = f"SELECT {columns} FROM {name} WHERE flag = true AND n < 390"
    found, cursor = None, None
    rows_seen: list[list[Any]] = []
    while found is None or cursor is not None:
        found = await service.queries(direct_rows=60).run_sql(ANN, sql=sql, max_rows=150, cursor=cursor)
        rows_seen, cursor = rows_seen + found.rows, found.next_cursor
    in_one = await service.queries(direct_rows=0).run_sql(ANN, sql=sql, max_rows=1000)
    assert sorted(map(repr, rows_seen)) == sorted(map(repr, in_one.rows))
    assert (len(rows_seen), found.columns) == (195, in_one.columns)


TEXTS = [
    *(
        "t",
        "pk",
        "upper({t})",
        "replace({t}, 'a', 'b')",
        "concat_ws('-', {t}, {t})",
        "regexp_replace({t}, '[0-9]', '')",
    ),
    *("strftime({d}, '%Y/%m')", "split_part({t}, '-', 1)", "nullif({t}, 'a-1')", "lpad({t}, 4, '0')", "{t}[1:2]"),
    *("coalesce({t}, {t})", "CASE WHEN {b} THEN {t} END", "array_to_string({l}, '+')", "md5({t})", "{n}::VARCHAR"),
    *("monthname({d})", "json_extract_string(m, '$.x')", "to_json({l})::VARCHAR", "printf('%s!', {t})"),
]
NUMBERS = [
    *("n", "price", "{n} + {n}", "floor({n})", "greatest({n}, {n}, 3)", "year({d})", "length({t})", "len({l})"),
    *("abs({n})", "round({n} / 3, 2)", "list_sum([{n}, 1])", "strpos({t}, 'a')", "m.y", "if({b}, {n}, 0)", "{n} % 5"),
]
DATES = ["day", "date_trunc('month', {d})", "{d} + INTERVAL 1 DAY", "last_day({d})", "greatest({d}, {d})"]
LISTS = [
    "tags",
    "[{t}, {t}]",
    "string_split({t}, '-')",
    "list_sort({l})",
    "list_concat({l}, {l})",
    "list_slice({l}, 1, 1)",
]
TRUTHS = [
    *("{n} > {n}", "{t} LIKE '%1%'", "regexp_matches({t}, '[ab]')", "list_contains({l}, {t})", "contains({t}, 'a')"),
    *("{d} < DATE '2026-01-20'", "{n} IS NOT NULL", "NOT ({b})", "({b}) OR ({b})", "starts_with({t}, 'a')"),
    *("{t} IN ('a-1', {t})", "{n} BETWEEN {n} AND {n} + 9", "{t} IS DISTINCT FROM {t}", "day IS NULL"),
]
FORMS = {"t": TEXTS, "n": NUMBERS, "d": DATES, "l": LISTS, "b": TRUTHS}


def made(random: Random, kind: str, depth: int = 3) -> str:
    """A random expression of functions of one row."""
    form = random.choice(FORMS[kind] if depth else [one for one in FORMS[kind] if "{" not in one] or ["day IS NULL"])
    for inner in FORMS:
        while f"{{{inner}}}" in form:
            form = form.replace(f"{{{inner}}}", made(random, inner, max(depth - 1, 0)), 1)
    return form


@pytest.fixture(scope="module")
async def various(service: Service) -> None:
    """str_various: 23 items of which some lack attributes."""
    random = Random(7)
    items = []
    for number in range(23):
        item: dict[str, Any] = {
            "t": {"S": f"{random.choice('abc')}-{number % 4}"},
            "n": {"N": str(number % 9 - 2)},
            "price": {"N": f"{number}.5"},
            "day": {"S": f"2026-01-{number + 1:02}"},
            "tags": {"L": [{"S": one} for one in random.sample(["a", "b", "a-1"], number % 3)]},
            "m": {"M": {"x": {"S": "a"}, "y": {"N": str(number)}}},
        }
        items.append({"pk": {"S": f"k{number}"}} | {name: one for name, one in item.items() if random.random() < 0.9})
    await service.create("str_various", items)


@pytest.mark.parametrize("seed", range(12))
async def test_pages_of_whatever_is_made_of_each_row_hold_what_one_page_does(
    service: Service, various: None, seed: int
) -> None:
    random = Random(seed)
    values = [made(random, kind) for kind in random.choices(list(FORMS), k=4)]
    listed = ", ".join(f"{value} AS v{place}" for place, value in enumerate(values))
    sql = f"SELECT pk, {listed} FROM str_various WHERE {random.choice(['true', made(random, 'b')])}"

    whole = await service.run(sql, max_rows=1000)
    nested = f"WITH x AS ({sql}) SELECT * FROM (SELECT * FROM x) y"
    assert rows(await pages(service, nested, 4)) == whole.rows
    for max_rows in (1, 3):
        found = await pages(service, sql, max_rows)
        assert rows(found) == whole.rows
        assert all(page.columns == whole.columns for page in found)
        assert found[0].statistics.items_read < 23 or len(found) == 1 or "WHERE true" not in sql


@pytest.mark.parametrize(
    "value",
    [
        *(
            "year(day)",
            "strftime(day, '%Y')",
            "date_trunc('month', day)",
            "replace(t, 'a', 'b')",
            "concat_ws('-', t, n)",
        ),
        *("regexp_replace(t, 'a', '')", "regexp_matches(t, 'a')", "list_contains(tags, 'a')", "greatest(n, price)"),
        *("split_part(t, '-', 1)", "nullif(t, 'a')", "contains(t, 'a')", "floor(price)", "lpad(t, 9, ' ')", "pk[1:2]"),
    ],
)
async def test_functions_read_no_more_than_a_page_needs(service: Service, various: None, value: str) -> None:
    page = await service.run(f"SELECT pk, {value} AS v FROM str_various", max_rows=5)
    assert (len(page.rows), page.statistics.items_read) == (5, 6)


@pytest.mark.parametrize(
    ("sql", "items"),
    [
        ("WITH x AS (SELECT * FROM str_orders) SELECT pk, n FROM x", 11),
        ("SELECT * FROM (SELECT * FROM str_orders) x", 11),
        ("SELECT m FROM (SELECT n + 1 AS m FROM (SELECT * FROM str_orders) x) y", 11),
        ("SELECT m FROM (SELECT n AS m FROM str_lines WHERE pk = 'a') x WHERE m > 7 ORDER BY m DESC", 11),
        ("WITH x AS (SELECT n FROM str_lines WHERE pk = 'a') SELECT n FROM x ORDER BY n LIMIT 4", 4),
        ("SELECT * FROM (SELECT * FROM str_orders) x LIMIT 3", 3),
    ],
)
async def test_subqueries_that_pass_rows_on_cost_nothing(service: Service, tables: None, sql: str, items: int) -> None:
    page = await service.queries(full_scan_items=100).run_sql(ANN, sql=sql, max_rows=10)
    assert page.statistics.items_read == items
    assert len(page.rows) == min(items, 10)


async def test_conditions_on_what_a_subquery_computes_are_met(service: Service, tables: None) -> None:
    sql = "SELECT m FROM (SELECT n * 2 AS m FROM str_lines WHERE pk = 'a') x WHERE m > 20"
    assert [float(m) for (m,) in await service.rows(f"{sql} LIMIT 2")] == [22, 24]
    assert [float(m) for (m,) in rows(await pages(service, sql, 4))] == list(range(22, 80, 2))


@pytest.fixture(scope="module")
async def long(service: Service) -> None:
    """str_long: 1,500 small items in one partition."""
    items = [
        {"pk": {"S": "a"}, "n": {"N": str(number)}, "flag": {"S": "yes" if number % 4 else "no"}}
        for number in range(1500)
    ]
    await service.create("str_long", items, range_key="n")


@pytest.mark.parametrize(
    ("sql", "count", "most"),
    [
        ("SELECT n FROM str_long WHERE pk = 'a' AND n % 3 = 1 ORDER BY n DESC LIMIT 3", 3, 100),
        ("SELECT n FROM str_long WHERE pk = 'a' AND flag = 'yes' ORDER BY n LIMIT 3", 3, 100),
        ("SELECT n + 1 AS m FROM (SELECT * FROM str_long WHERE pk = 'a' AND flag = 'yes') x LIMIT 60", 60, 600),
        ("SELECT n FROM str_long WHERE upper(flag) = 'YES' LIMIT 5", 5, 100),
        ("SELECT n FROM str_long WHERE pk = 'a' AND n % 700 = 699 LIMIT 2", 2, 2000),
        ("SELECT n FROM str_long WHERE pk = 'a' AND n < 0.5 AND n % 2 = 1 LIMIT 2", 0, 2000),
    ],
)
async def test_limit_beside_conditions_reads_as_far_as_it_needs(
    service: Service, long: None, sql: str, count: int, most: int
) -> None:
    """Which items meet the conditions no request can tell: they are looked at a few at a time."""
    result = await service.run(sql, max_rows=1000)
    everything = (await service.run(sql.partition(" LIMIT ")[0], max_rows=1000)).rows
    assert (len(result.rows), result.stop_reason, result.next_cursor) == (count, "complete", None)
    assert result.rows == everything[:count]
    assert result.statistics.items_read <= most


async def test_the_pages_of_a_limited_result_end_at_its_limit(service: Service, long: None) -> None:
    sql = "SELECT n FROM str_long WHERE pk = 'a' AND n % 3 = 1 ORDER BY n DESC LIMIT 25"
    found = await pages(service, sql, 10)
    assert [int(row[0]) for row in rows(found)] == [n for n in range(1499, -1, -1) if n % 3 == 1][:25]
    assert [len(page.rows) for page in found] == [10, 10, 5]


async def test_a_limited_result_is_cut_where_its_bytes_end(service: Service, tables: None) -> None:
    result = await service.queries(result_bytes=200_000).run_sql(
        ANN, sql="SELECT n, t FROM str_wide WHERE n % 2 = 0 LIMIT 300", max_rows=1000
    )
    assert 0 < len(result.rows) < 300
    assert result.stop_reason != "complete"


async def test_a_value_that_cannot_be_computed_ends_a_limited_read(service: Service, long: None) -> None:
    with pytest.raises(Failure) as caught:
        await service.run("SELECT CAST(flag AS INT) FROM str_long WHERE pk = 'a' AND n % 2 = 0 LIMIT 3")
    assert caught.value.code is FailureCode.EVALUATION_ERROR


@pytest.fixture(scope="module")
async def tall(service: Service) -> None:
    """str_tall: 4,000 small items in one partition."""
    items = [{"pk": {"S": "a"}, "n": {"N": str(number)}} for number in range(4000)]
    await service.create("str_tall", items, range_key="n")


@pytest.mark.parametrize(
    ("sql", "wanted", "most"),
    [
        ("n FROM str_tall WHERE pk = 'a' AND n % 2 = 1 ORDER BY n LIMIT 3 OFFSET 4", [9, 11, 13], 100),
        ("n FROM str_tall WHERE pk = 'a' AND n % 2 = 1 ORDER BY n DESC LIMIT 2 OFFSET 90", [3819, 3817], 300),
        (
            "m FROM (SELECT n AS m FROM str_tall WHERE pk = 'a' AND n % 9 = 0) ORDER BY m LIMIT 2 OFFSET 443",
            [3987, 3996],
            4000,
        ),
        ("n FROM str_tall WHERE pk = 'a' AND n % 900 = 1 ORDER BY n LIMIT 3 OFFSET 4", [3601], 4000),
        ("n FROM str_tall WHERE pk = 'a' AND n % 900 = 1 ORDER BY n LIMIT 3 OFFSET 5", [], 4000),
        ("n FROM str_tall WHERE pk = 'a' AND n % 2 = 1 ORDER BY n LIMIT 1200", list(range(1, 2400, 2)), 3000),
        (
            "n FROM str_tall WHERE pk = 'a' AND n % 2 = 1 ORDER BY n LIMIT 200 OFFSET 1000",
            list(range(2001, 2400, 2)),
            3000,
        ),
        ("n FROM str_tall WHERE pk = 'a' AND n % 2 = 1 ORDER BY n OFFSET 1990", list(range(3981, 4000, 2)), 4000),
        ("n FROM str_tall WHERE pk = 'a' AND n > 7 ORDER BY n LIMIT 2 OFFSET 3", [11, 12], 5),
    ],
)
async def test_rows_after_an_offset_are_read_as_far_as_they_need(
    service: Service, tall: None, sql: str, wanted: list[int], most: int
) -> None:
    found = await pages(service, f"SELECT {sql}", 1000)
    assert [int(n) for (n,) in rows(found)] == wanted
    assert found[0].statistics.items_read <= most


async def test_any_rows_after_an_offset_are_as_many_as_there_are(service: Service, long: None) -> None:
    for limit, offset in ((5, 7), (5, 370), (5, 371), (5, 375), (5, 400), (900, 3)):
        sql = f"SELECT n FROM str_long WHERE upper(flag) = 'NO' LIMIT {limit} OFFSET {offset}"
        found = await service.run(sql, max_rows=1000)
        assert len({int(n) for (n,) in found.rows if int(n) % 4 == 0}) == max(0, min(limit, 375 - offset))


async def test_rows_before_an_offset_take_no_room(service: Service, tables: None) -> None:
    result = await service.queries(result_bytes=1_000_000).run_sql(
        ANN, sql="SELECT n, t FROM str_wide WHERE n % 2 = 0 LIMIT 5 OFFSET 200", max_rows=1000
    )
    assert (len(result.rows), result.stop_reason) == (5, "complete")


async def test_no_row_follows_those_of_a_response_that_make_more_than_a_result_holds(
    service: Service, tables: None
) -> None:
    sql = "SELECT n FROM str_lines WHERE pk = 'a' AND n % 2 = 0 ORDER BY n LIMIT 30"
    wide = sql.replace("SELECT n", "SELECT n, lpad('', 9000, 'x') AS t")
    result = await service.queries(result_bytes=100_000).run_sql(ANN, sql=wide, max_rows=1000)
    assert 0 < len(result.rows) < 20
    assert result.stop_reason != "complete"
    assert [n for n, _ in result.rows] == [n for (n,) in (await service.run(sql)).rows][: len(result.rows)]
