"""Scans of large tables that are likely to end early need no permission, and end where a small table would."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.access.rules import restricted
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.failures.scans import LargeScan, ScanWentOn
from mcp_server.domain.restriction import AllowedValues, Restriction
from mcp_server.engine.meter import Meter
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.scans import verdict
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

CUSTOMERS = 400
TABLES = ("end_all", "end_orders", "end_tails")


def items() -> list[dict[str, Any]]:
    """Of each customer a profile and two orders, of every fortieth one item of a third kind."""
    found: list[dict[str, Any]] = []
    for customer in range(CUSTOMERS):
        pk, kinds = {"S": f"CUSTOMER#{customer}"}, ["PROFILE", "ORDER#1", "ORDER#2", *["x#TAIL"] * (customer % 40 == 0)]
        for place, sk in enumerate(kinds):
            note = {"S": "n" * (50 + (customer % 100 == 7))}
            found.append(
                {"pk": pk, "sk": {"S": sk}, "n": {"N": str(customer)}, "place": {"N": str(place)}, "note": note}
            )
    return found


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> AsyncIterator[None]:
    """DynamoDB tells of a million items."""
    await service.tables.create("end_all", (("pk", "S"), ("sk", "S")))
    await service.put("end_all", items())
    for name in TABLES:
        table = (await service.browsing().describe_table(ANN, table_name=name)).table
        await service.catalog.learn(replace(table, item_count=1_000_000, size_bytes=400_000_000))
    yield
    for name in TABLES:
        await service.catalog.describe(service.schemas.by_name["shop"], name, "force")


async def run(queries: QueryService, sql: str, **arguments: Any) -> QueryResult:
    return await queries.run_sql(ANN, sql=sql, **{"max_rows": 10} | arguments)


EARLY = [
    ("SELECT * FROM end_orders", 10),
    ("SELECT * FROM end_orders LIMIT 10", 10),
    ("SELECT order_id, n FROM end_orders WHERE n >= 100 LIMIT 10", 10),
    ("SELECT order_id FROM end_orders WHERE length(note) = 50", 10),
    ("SELECT * FROM end_all WHERE place = 1", 10),
    ("SELECT upper(sk) FROM end_all WHERE place = 1 LIMIT 10 OFFSET 5", 10),
    ("SELECT EXISTS (SELECT 1 FROM end_orders WHERE n < 300)", 1),
    ("SELECT place FROM end_all WHERE pk = 'CUSTOMER#1' AND EXISTS (SELECT 1 FROM end_orders WHERE n < 300)", 3),
    ("SELECT * FROM end_tails LIMIT 3", 3),
]


@pytest.mark.parametrize(("sql", "rows"), EARLY)
async def test_a_scan_that_is_likely_to_end_early_needs_no_permission(service: Service, sql: str, rows: int) -> None:
    meters: list[Meter] = []
    explained = await service.queries().explain_sql(ANN, sql=sql)
    result = await run(service.queries(), sql, watch=meters.append)

    assert (explained.large_tables, verdict(explained)) == ((), "It may run as it is.")
    assert "is likely to " in explained.plan
    assert "After 100,000 items or 7,812.5 read units" in explained.plan
    assert (len(result.rows), result.warnings) == (rows, ())
    assert result.statistics.items_read <= meters[0].items <= 800
    if "of all pages" not in explained.plan:
        assert result.statistics.read_units <= explained.cost.read_units + 1
        assert explained.reads[-1].at_most is not None
        assert (explained.reads[-1].at_most.items, explained.reads[-1].at_most.read_units) == (100_000, 7_812.5)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM end_orders",
        "SELECT * FROM end_orders ORDER BY n LIMIT 10",
        "SELECT DISTINCT n FROM end_orders LIMIT 10",
        "SELECT a.n FROM end_orders a JOIN end_all b USING (n) LIMIT 10",
        "SELECT * FROM end_all WHERE n = 77 LIMIT 900",
    ],
)
async def test_what_looks_at_much_has_to_be_asked_for_before_anything_is_read(service: Service, sql: str) -> None:
    meters: list[Meter] = []
    explained = await service.queries().explain_sql(ANN, sql=sql)
    with pytest.raises(Failure) as caught:
        await run(service.queries(), sql, watch=meters.append)

    assert isinstance(caught.value.fact, LargeScan)
    assert explained.large_tables == tuple(table.name for table in caught.value.fact.tables)
    assert "is likely to " not in explained.plan
    assert meters[0].pages == 0
    assert await run(service.queries(), sql, allow_full_scan=True)


NONE_IS = "length(note) = 1"
"""A condition that nothing is known of, and that no item meets."""


async def pages_of(queries: QueryService, sql: str, **arguments: Any) -> list[QueryResult]:
    pages = [await run(queries, sql, **arguments)]
    while pages[-1].next_cursor is not None:
        pages.append(await run(queries, sql, cursor=pages[-1].next_cursor, **arguments))
    return pages


@pytest.mark.parametrize("limit", [1, 3, 5, 8, 20])
@pytest.mark.parametrize("condition", ["length(note) = 51", "note > 'nn' AND length(note) = 51"])
async def test_a_limit_ends_where_a_small_table_would_with_a_cursor_to_what_is_left(
    service: Service, condition: str, limit: int
) -> None:
    """Eight rows meet the condition."""
    queries, sql = service.queries(full_scan_items=300), f"SELECT n, order_id FROM end_orders WHERE {condition}"
    assert (
        "After 300 items or 7,812.5 read units the page ends there, and a cursor goes on"
        in (await queries.explain_sql(ANN, sql=f"{sql} LIMIT {limit}")).plan
    )
    pages = await pages_of(queries, f"{sql} LIMIT {limit}")
    rows = [(n, o) for page in pages for n, o in page.rows]

    assert len(rows) == len({*rows}) == min(limit, 8)
    assert {*rows} <= {(n, o) for n in (7, 107, 207, 307) for o in "12"}
    assert [page.stop_reason for page in pages] == ["scan_limit"] * (len(pages) - 1) + ["complete"]
    assert all(len(page.warnings) == (page.stop_reason == "scan_limit") for page in pages)
    if limit == 20:
        assert len(pages) > 1
        assert pages[0].warnings[0].startswith('This page is not full: "end_orders" was scanned for it to 300 items')
        cursor = pages[0].next_cursor
        allowed = await run(queries, f"{sql} LIMIT {limit}", cursor=cursor, allow_full_scan=True)
        assert (len(allowed.rows) + len(pages[0].rows), allowed.stop_reason) == (8, "complete")
        with pytest.raises(Failure) as caught:
            await run(queries, f"{sql} LIMIT {limit + 1}", cursor=cursor)
        assert caught.value.code is FailureCode.CURSOR_INVALID


async def test_a_limit_that_no_item_fills_ends_with_all_of_the_table(service: Service) -> None:
    queries, sql = service.queries(full_scan_items=300), f"SELECT n FROM end_orders WHERE {NONE_IS} LIMIT 10"
    pages = await pages_of(queries, sql)
    assert [row for page in pages for row in page.rows] == []
    assert (len(pages) > 1, pages[-1].stop_reason) == (True, "complete")
    whole = await run(queries, sql, allow_full_scan=True)
    assert (whole.rows, whole.stop_reason) == ([], "complete")


@pytest.mark.parametrize(("limit", "max_rows"), [(350, 10), (350, 64), (250, 1000), (401, 50)])
async def test_what_is_left_of_a_limit_counts_from_the_rows_that_fit_a_page(
    service: Service, limit: int, max_rows: int
) -> None:
    """Where more rows were found than a page has, the next one has the others."""
    queries, sql = service.queries(full_scan_items=300), f"SELECT n FROM end_all WHERE place = 1 LIMIT {limit}"
    pages = await pages_of(queries, sql, max_rows=max_rows)
    rows = [row[0] for page in pages for row in page.rows]

    assert len(rows) == len({*rows}) == min(limit, CUSTOMERS)
    assert all(len(page.rows) <= max_rows for page in pages)
    assert pages[-1].stop_reason == "complete"
    assert (pages[0].stop_reason == "row_limit") == (len(pages[0].rows) == max_rows)


async def test_a_limit_with_an_offset_fails_there(service: Service) -> None:
    meters: list[Meter] = []
    queries, sql = service.queries(full_scan_items=300), f"SELECT n FROM end_orders WHERE {NONE_IS} LIMIT 10 OFFSET 5"
    with pytest.raises(Failure) as caught:
        await run(queries, sql, watch=meters.append)

    fact = caught.value.fact
    assert isinstance(fact, ScanWentOn)
    assert (fact.code, fact.most, fact.early) == (FailureCode.FULL_SCAN_REFUSED, 300, True)
    assert fact.spent == meters[0].read_units > 0
    assert worded(caught.value).message == (
        'The query needs a full scan of "end_orders": it was likely to end early, but found too few rows in 300 items '
        f"or 7,812.5 read units, the most that is scanned unasked. {fact.spent:,.1f} read units were read."
    )
    assert worded(caught.value).next_action.endswith("or repeat it with allow_full_scan if that is wanted.")
    assert "After 300 items or 7,812.5 read units the query fails" in (await queries.explain_sql(ANN, sql=sql)).plan
    assert (await run(queries, sql, allow_full_scan=True)).rows == []


async def test_what_exists_nowhere_is_looked_for_no_longer(service: Service) -> None:
    meters: list[Meter] = []
    with pytest.raises(Failure) as caught:
        await run(
            service.queries(full_scan_items=300),
            "SELECT EXISTS (SELECT 1 FROM end_all WHERE n >= 0 AND place = 3 AND n = 3)",
            watch=meters.append,
        )
    assert isinstance(caught.value.fact, ScanWentOn)
    assert meters[0].pages < 20


async def test_a_page_ends_there_with_the_rows_that_it_found_and_the_next_one_goes_on(service: Service) -> None:
    sql = "SELECT n, order_id FROM end_orders WHERE length(note) = 51"
    queries, cursor, pages = service.queries(full_scan_items=300), None, list[QueryResult]()
    while not pages or cursor is not None:
        pages.append(await run(queries, sql, cursor=cursor))
        cursor = pages[-1].next_cursor

    assert sorted(row for page in pages for row in page.rows) == [[n, o] for n in (7, 107, 207, 307) for o in "12"]
    assert {page.stop_reason for page in pages} == {"scan_limit", "complete"}
    for page in pages:
        assert (page.stop_reason == "scan_limit") == (len(page.warnings) == 1) == (page.next_cursor is not None)
    assert pages[0].warnings == (
        'This page is not full: "end_orders" was scanned for it to 300 items or 7,812.5 read units, the most without '
        "allow_full_scan. More rows may follow: next_cursor goes on from there. A condition on a key reads less.",
    )
    allowed = await run(queries, sql, allow_full_scan=True)
    assert (len(allowed.rows), allowed.stop_reason, allowed.warnings) == (8, "complete", ())


async def test_a_large_page_is_cut_where_one_of_the_usual_size_is_judged(service: Service) -> None:
    """Which rows it has fewer of is told by its cursor, so that nobody has to know how many are looked for."""
    sql = "SELECT n FROM end_all WHERE place = 1"
    first = await run(service.queries(full_scan_items=600), sql, max_rows=1000)
    assert (0 < len(first.rows) < CUSTOMERS, first.stop_reason) == (True, "scan_limit")
    rows, cursor = first.rows, first.next_cursor
    while cursor is not None:
        page = await run(service.queries(full_scan_items=600), sql, max_rows=1000, cursor=cursor)
        rows, cursor = rows + page.rows, page.next_cursor
    assert sorted(rows) == [[n] for n in range(CUSTOMERS)]


async def test_nobody_is_asked_for_more_than_is_likely_and_no_more_is_read_than_was_agreed_to(service: Service) -> None:
    queries, sql = service.queries(confirm_read_units=6.0), "SELECT n FROM end_orders WHERE {} LIMIT 10"
    assert len((await run(queries, sql.format("n >= 0"))).rows) == 10
    meters: list[Meter] = []
    went_on = await run(queries, sql.format("length(note) = 1 AND place >= 0"), watch=meters.append)
    assert (went_on.rows, went_on.stop_reason) == ([], "scan_limit")
    assert meters[0].scan_ended is not None
    assert meters[0].scan_ended.read_units == 6.0
    dear = sql.format("n < 4")
    explained = await queries.explain_sql(ANN, sql=dear)
    with pytest.raises(Failure) as unconfirmed:
        await run(queries, dear)
    assert isinstance(unconfirmed.value.fact, CostUnconfirmed)
    assert unconfirmed.value.fact.read_units == explained.cost.read_units < 1_000
    assert explained.unconfirmed is not None
    agreed = await run(queries, dear, confirmed_read_units=explained.cost.read_units)
    assert agreed.rows == (await run(queries, dear, allow_full_scan=True)).rows != []


async def test_a_scan_that_is_allowed_covers_all_that_it_takes(service: Service) -> None:
    queries = service.queries(confirm_read_units=1.0, full_scan_items=100)
    sql = f"SELECT n FROM end_orders WHERE {NONE_IS}"
    assert (await run(queries, f"{sql} LIMIT 10", allow_full_scan=True)).stop_reason == "complete"
    page = await run(queries, sql, allow_full_scan=True)
    assert (page.rows, page.stop_reason) == ([], "complete")


async def test_the_budgets_of_the_call_and_of_the_hour_end_it_before(service: Service) -> None:
    sql = f"SELECT n FROM end_all WHERE {NONE_IS}"
    for limits, arguments in (({"read_units_per_hour": 4.0}, {}), ({}, {"max_read_units": 4.0})):
        for statement in (sql, f"{sql} LIMIT 10"):
            meters: list[Meter] = []
            with pytest.raises(Failure) as caught:
                await run(service.queries(**limits), statement, watch=meters.append, **arguments)
            assert caught.value.code is FailureCode.BUDGET_EXCEEDED
            assert 4.0 < meters[0].read_units < 40.0


async def test_a_question_is_about_all_that_a_scan_takes(service: Service) -> None:
    """The scan ends early for want of somebody who allows it: to the end it takes more than is likely."""
    sql = f"SELECT n FROM end_orders WHERE {NONE_IS} LIMIT 10"
    told = [await service.queries().explain_sql(ANN, sql=sql, to_the_end=end) for end in (False, True)]
    assert told[0].cost.items < 1_000 < told[1].cost.items == 1_000_000
    assert told[1].cost.read_units > 40_000


async def test_of_rows_that_a_rule_leaves_no_share_is_told(service: Service) -> None:
    """It would be that of all items, hidden ones among them."""
    whole = (await service.browsing().describe_table(ANN, table_name="end_orders")).table
    assert whole.own_share == pytest.approx(2 * CUSTOMERS / len(items()), abs=0.1)
    rows = (AllowedValues("note", frozenset({"n"}), frozenset()),)
    assert restricted(whole, Restriction(rows=rows)).own_share is None
    assert restricted(whole, Restriction(hidden=frozenset({"note"}))).own_share == whole.own_share
    described = await service.catalog.describe(service.schemas.by_name["shop"], "end_orders", "if_stale", rows)
    assert described is not None
    assert described.table.own_share is None
