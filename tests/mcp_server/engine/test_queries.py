"""Statements over tables: results, pages, budgets and failures."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.failures.availability import EvaluatorLost
from mcp_server.domain.failures.scans import LargeScan, LargeTable
from mcp_server.domain.principal import Principal
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.scans import verdict
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, EVE, Service, only_doubles, only_real
from tests.support.metrics import growth, lookups

pytestmark = pytest.mark.anyio

WIDE = "x" * 2000
ENDLESS = "SELECT count(*) FROM range(100000) a(i), range(100000) b(j), range(100000) c(k) WHERE (i * j + k) % 13 = 1"


@pytest.fixture(scope="module")
async def tables(service: Service) -> None:
    """eng_orders: 3 customers with 4 orders each; eng_big: 3 MB in 1,500 items; eng_rival: another tenant's."""
    orders = [
        {"pk": {"S": f"cust{customer}"}, "n": {"N": str(order)}, "total": {"N": f"{customer * 10 + order}.25"}}
        for customer in range(3)
        for order in range(4)
    ]
    await service.create("eng_orders", orders, range_key="n")
    await service.create("eng_big", [{"pk": {"S": f"k{i}"}, "n": {"N": str(i)}, "t": {"S": WIDE}} for i in range(1500)])
    await service.create("eng_rival", [{"pk": {"S": "secret"}}])


@pytest.mark.complaint(17, 21)
async def test_a_join_with_aggregates(service: Service, tables: None) -> None:
    result = await service.run(
        "SELECT a.pk, count(*) AS n, sum(b.total) AS s FROM eng_orders a JOIN eng_orders b USING (pk, n)"
        " GROUP BY a.pk ORDER BY a.pk"
    )
    assert result.rows == [["cust0", 4, "7.00"], ["cust1", 4, "47.00"], ["cust2", 4, "87.00"]]
    assert [(column.name, column.type) for column in result.columns] == [
        ("pk", "VARCHAR"),
        ("n", "BIGINT"),
        ("s", "DECIMAL(38,2)"),
    ]
    assert (result.next_cursor, result.stop_reason) == (None, "complete")
    assert (result.statistics.items_read, result.statistics.pages_read) == (12, 1)  # one scan for both references
    assert result.warnings == ()


async def test_who_read_which_tables_is_recorded_whether_the_statement_succeeds_or_not(
    service: Service, tables: None
) -> None:
    join = "SELECT count(*) FROM eng_orders a JOIN eng_big b ON a.n = b.n"
    with capture_logs() as logs:
        await service.run(join)
        with pytest.raises(Failure):
            await service.run("SELECT t FROM eng_big WHERE t <> 'a secret value'", max_read_units=10.0)
        with pytest.raises(Failure):
            await service.run("SELECT t FROM eng_unknown")
        await service.run(join)
    lines = [line for line in logs if line["event"] == "tables_read"]
    assert [sorted(line["tables"]) for line in lines] == [
        ["shop.eng_big", "shop.eng_orders"],
        ["shop.eng_big"],
        ["shop.eng_big", "shop.eng_orders"],
    ]
    assert lines[0]["statement"] == lines[2]["statement"] != lines[1]["statement"]
    assert {(line["tenant"], line["client_id"]) for line in lines} == {("acme", "cli")}
    assert "secret" not in str(logs)


@pytest.mark.complaint(5)
async def test_a_key_reads_one_item(service: Service, tables: None) -> None:
    result = await service.run(
        "SELECT total FROM eng_orders WHERE pk = $who AND n = $n", parameters={"who": "cust1", "n": 2}
    )
    assert result.rows == [["12.25"]]
    assert (result.statistics.items_read, result.statistics.read_units) == (1, 0.5)


@pytest.mark.parametrize(
    ("sql", "parameters", "rows", "items_read"),
    [
        ("SELECT total FROM eng_orders WHERE pk = ? AND n = ?", ["cust1", "2"], [["12.25"]], 1),
        ("SELECT n FROM eng_orders WHERE pk = ? AND n BETWEEN ? AND ?", ["cust1", "2", "10"], [[2], [3]], 2),
        ("SELECT n FROM eng_orders WHERE pk = $1 AND total > $2", ["cust1", "12.5"], [[3]], 1),
        ("SELECT n + $2 AS m FROM eng_orders WHERE pk = $1 ORDER BY n LIMIT $3", ["cust1", "10", "1"], [[10]], 1),
        ("SELECT n FROM eng_orders WHERE pk = ? AND n > ?", ["cust1", "1.5"], [[2], [3]], 2),
        ("SELECT n FROM eng_orders WHERE pk = ? AND n IN (?, ?)", ["cust1", "1.5", "2"], [[2]], 1),
        ("SELECT n FROM eng_orders WHERE pk = ? AND total < ?", ["cust1", "11.255"], [[0], [1]], 2),
        ("SELECT count(*) AS n FROM eng_orders WHERE pk = ? HAVING count(*) > ?", ["cust1", "3.5"], [[4]], 4),
        ("SELECT m FROM (SELECT n AS m, pk FROM eng_orders) WHERE pk = ? AND m = ?", ["cust1", "1.5"], [], 0),
        ("SELECT n FROM eng_orders WHERE pk = ? AND n >= ?", ["cust1", "99999999999999999999"], [], 0),
        ("SELECT n + $2 AS m FROM eng_orders WHERE pk = $1 AND $2 - n > 3", ["cust1", "3.5"], [["3.5"]], 4),
        (
            "SELECT coalesce(NULL, n, $2) AS a, [n, $2] AS b, if(n > 9, n, ($2)) AS c, CASE WHEN n = 0 THEN $2 END AS d"
            " FROM eng_orders WHERE pk = $1 AND n = 0",
            ["cust1", "0.5"],
            [["0.0", ["0.0", "0.5"], "0.5", "0.5"]],
            1,
        ),
        ("SELECT n FROM eng_orders WHERE pk = $1 AND (n = 3) = $2", ["cust1", "true"], [[3]], 4),
        ("SELECT n * CAST($2 AS BIGINT) AS m FROM eng_orders WHERE pk = $1 AND n > $3", ["cust1", "5", "2"], [[15]], 1),
    ],
)
async def test_texts_do_for_parameters_of_any_type(
    service: Service, tables: None, sql: str, parameters: list[str], rows: list[list[Any]], items_read: int
) -> None:
    result = await service.run(sql, parameters=parameters)
    assert result.rows == rows
    assert result.statistics.items_read == items_read


async def test_a_numeral_of_many_places_is_compared_with_large_numbers(service: Service) -> None:
    await service.create("eng_vast", [{"pk": {"S": "a"}, "n": {"N": "9007199254740993"}}])
    least = "0.000000000000000000000000000001"
    assert (await service.run("SELECT max(n) > $1 AS more FROM eng_vast", parameters=[least])).rows == [[True]]


async def test_a_statement_without_tables(service: Service) -> None:
    result = await service.run("SELECT 1 AS one")
    assert (result.rows, result.statistics.pages_read, result.warnings) == ([[1]], 0, ())


async def test_references_of_one_table_may_differ_in_columns_and_conditions(service: Service, tables: None) -> None:
    result = await service.run(
        "SELECT a._doc->>'n' AS n, b.total, c.total FROM eng_orders a JOIN eng_orders b USING (pk, n)"
        " JOIN eng_orders c ON c.n = a.n + 1 WHERE b.total > 20 AND c.pk = 'cust2' ORDER BY 1"
    )
    assert result.rows == [["0", "20.25", "21.25"], ["1", "21.25", "22.25"], ["2", "22.25", "23.25"]]
    # a and b share a scan of all 12 items; c is a query of one partition's 4
    assert (result.statistics.items_read, result.statistics.pages_read) == (16, 2)
    explained = await service.queries().explain_sql(ANN, sql="SELECT 1 AS one FROM eng_orders a, eng_orders b")
    [read] = explained.reads
    assert "One scan serves 2 references" in read.reason
    assert explained.plan.count("Scan") == 1
    assert explained.plan.endswith('Read units of schema "shop" are computed from item sizes: its endpoint is not AWS.')


async def test_limit_0_reads_nothing_and_says_so(service: Service, tables: None) -> None:
    sql = "SELECT a.n FROM eng_orders a, eng_orders b LIMIT 0"
    explained = await service.queries().explain_sql(ANN, sql=sql)
    assert {(read.access, read.estimate.read_units) for read in explained.reads} == {("None", 0)}
    result = await service.run(sql)
    assert (result.rows, result.statistics.pages_read, result.stop_reason) == ([], 0, "complete")
    assert [column.name for column in result.columns] == ["n"]


async def test_pages_of_one_snapshot(service: Service, tables: None) -> None:
    sql = "SELECT pk, n FROM eng_orders ORDER BY pk, n"
    first = await service.run(sql, max_rows=5)
    assert first.stop_reason == "row_limit"
    await service.put("eng_orders", [{"pk": {"S": "cust0"}, "n": {"N": "-1"}}])
    found, cursor, pages = first.rows, first.next_cursor, 1
    while cursor is not None:
        page = await service.run(sql, max_rows=5, cursor=cursor)
        assert page.statistics.pages_read == 0
        found, cursor, pages = found + page.rows, page.next_cursor, pages + 1
    assert found == [[f"cust{customer}", order] for customer in range(3) for order in range(4)]
    assert (pages, page.stop_reason) == (3, "complete")
    await service.tables.delete("eng_orders", {"pk": {"S": "cust0"}, "n": {"N": "-1"}})


@pytest.mark.complaint(14)
async def test_a_cursor_belongs_to_its_principal_and_statement(service: Service, tables: None) -> None:
    sql = "SELECT pk, n FROM eng_orders"
    cursor = (await service.run(sql, max_rows=1)).next_cursor
    other = Principal("acme", "usr_bob", "cli", ANN.scopes, "gid")
    for arguments in (
        {"sql": sql, "principal": other},
        {"sql": sql + " LIMIT 5"},
        {"sql": sql, "parameters": [1]},
        {"sql": sql, "schema_name": "narrow"},
    ):
        with pytest.raises(Failure) as caught:
            await service.run(cursor=cursor, **arguments)
        assert caught.value.code is FailureCode.CURSOR_INVALID
    with pytest.raises(Failure) as caught:
        await service.run(sql, cursor="cur1_forged")
    assert caught.value.code is FailureCode.CURSOR_INVALID
    service.clock.time += 901
    with pytest.raises(Failure) as caught:
        await service.run(sql, cursor=cursor)
    assert caught.value.code is FailureCode.CURSOR_EXPIRED


async def test_lookups_of_kept_results_are_counted(service: Service, tables: None) -> None:
    before = lookups(service.tally, "results")
    sql = "SELECT pk, n FROM eng_orders ORDER BY pk, n"
    cursor = (await service.run(sql, max_rows=5)).next_cursor
    assert growth(before, lookups(service.tally, "results")) == [0, 0]
    await service.run(sql, max_rows=5, cursor=cursor)
    with pytest.raises(Failure) as caught:  # what is kept in another process's memory is not here
        await service.replica().run_sql(ANN, sql=sql, cursor=cursor)
    assert caught.value.code is FailureCode.CURSOR_EXPIRED
    assert growth(before, lookups(service.tally, "results")) == [1, 1]


@pytest.mark.parametrize(("limits", "of"), [({}, ""), ({"result_rows": 7}, "at least ")])
async def test_a_result_that_is_too_large_to_keep_says_how_much_is_left_out(
    service: Service, tables: None, limits: dict[str, int], of: str
) -> None:
    """As one may be that Redis has to keep, which takes less than memory."""
    queries = service.keeping(100, **limits)
    result = await queries.run_sql(ANN, sql="SELECT pk, n FROM eng_orders ORDER BY pk, n", max_rows=5)
    assert (len(result.rows), result.next_cursor, result.stop_reason) == (5, None, "result_limit")
    total = 7 if limits else 12
    [warning] = [one for one in result.warnings if "left out" in one]
    assert f"Only the first 5 of {of}{total} rows are here, and {of}{total - 5} are left out" in warning
    assert "Select fewer columns, aggregate, or read them in parts" in warning


async def test_a_result_of_any_size_ends_somewhere(service: Service, tables: None) -> None:
    queries = service.queries(result_rows=7)
    sql = "SELECT pk, n FROM eng_orders ORDER BY pk, n"
    first = await queries.run_sql(ANN, sql=sql, max_rows=5)
    assert first.stop_reason == "row_limit"
    last = await queries.run_sql(ANN, sql=sql, max_rows=5, cursor=first.next_cursor)
    assert (len(last.rows), last.next_cursor, last.stop_reason) == (2, None, "result_limit")
    assert "The result was cut after 7 rows, the most that one result may have." in last.warnings


@pytest.mark.complaint(21)
async def test_a_page_is_cut_by_its_bytes(service: Service, tables: None) -> None:
    sql = "SELECT n, t FROM eng_big ORDER BY n"
    first = await service.queries(page_bytes=10_000).run_sql(ANN, sql=sql)
    assert [row[0] for row in first.rows] == [0, 1, 2, 3]
    rest = await service.queries(page_bytes=10_000).run_sql(ANN, sql=sql, cursor=first.next_cursor)
    assert [row[0] for row in rest.rows] == [4, 5, 6, 7]


async def test_a_limit_stops_reading(service: Service) -> None:
    """20 pages of 1 MB: only a few are read ahead of DuckDB, which needs one."""
    await service.create("eng_wide", [{"pk": {"S": f"k{i}"}, "t": {"S": WIDE * 15}} for i in range(600)])
    everything = await service.run("SELECT count(*), max(length(t)) FROM eng_wide")
    limited = await service.run("SELECT upper(pk) FROM eng_wide WHERE length(t) > 1 LIMIT 1")
    assert (everything.rows, everything.statistics.items_read) == ([[600, 30_000]], 600)
    assert (len(limited.rows), limited.stop_reason) == (1, "complete")
    assert limited.statistics.pages_read < everything.statistics.pages_read


@pytest.mark.complaint(13)
async def test_a_limit_reads_no_more_items_than_it_needs(service: Service, tables: None) -> None:
    limited = await service.run("SELECT * FROM eng_big LIMIT 10")
    explained = await service.queries().explain_sql(ANN, sql="SELECT * FROM eng_big LIMIT 10")

    assert len(limited.rows) == 10
    assert (limited.statistics.items_read, limited.statistics.pages_read) == (10, 1)
    assert limited.statistics.read_units < 10
    assert explained.reads[0].estimate.items == 10
    assert "stops after: 10 items" in explained.plan


async def test_a_limit_needs_no_permission_to_scan_a_large_table(service: Service, tables: None) -> None:
    queries = service.queries(full_scan_items=600)

    assert len((await queries.run_sql(ANN, sql="SELECT pk FROM eng_big LIMIT 10")).rows) == 10


@pytest.mark.complaint(13)
async def test_the_last_items_of_a_partition_are_read_alone(service: Service, tables: None) -> None:
    last = await service.run("SELECT n, total FROM eng_orders WHERE pk = 'cust1' ORDER BY n DESC LIMIT 2")
    most = await service.run("SELECT max(n) FROM eng_orders WHERE pk = 'cust1'")
    some = await service.run("SELECT n FROM eng_orders WHERE pk = 'cust1' AND total < 13 ORDER BY n DESC LIMIT 1")

    assert (last.rows, last.statistics.items_read) == ([[3, "13.25"], [2, "12.25"]], 2)
    assert (most.rows, most.statistics.items_read) == ([[3]], 1)
    assert some.rows == [[2]]


@pytest.mark.parametrize(
    ("limits", "arguments", "code"),
    [
        ({}, {"max_read_units": 10.0}, FailureCode.BUDGET_EXCEEDED),
        ({"read_units": 10.0}, {"max_read_units": 1000.0}, FailureCode.BUDGET_EXCEEDED),
        ({"read_bytes": 10_000}, {}, FailureCode.BUDGET_EXCEEDED),
        ({"read_pages": 1}, {}, FailureCode.BUDGET_EXCEEDED),
        ({"full_scan_items": 600}, {}, FailureCode.FULL_SCAN_REFUSED),
    ],
)
async def test_an_aggregate_over_a_part_is_never_given(
    service: Service, tables: None, limits: dict[str, Any], arguments: dict[str, Any], code: FailureCode
) -> None:
    with pytest.raises(Failure) as caught:
        await service.queries(**limits).run_sql(ANN, sql="SELECT count(*) + 0 FROM eng_big", **arguments)
    assert caught.value.code is code
    assert await service.rows("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    "sql",
    [
        ENDLESS,
        "SELECT count(*) FROM eng_big a, eng_big b, eng_big c, eng_big d WHERE (a.n * b.n + c.n * d.n) % 13 = 1",
    ],
)
async def test_a_deadline_ends_a_query(service: Service, tables: None, sql: str) -> None:
    with anyio.fail_after(60), pytest.raises(Failure) as caught:
        await service.queries(deadline_seconds=0.5).run_sql(ANN, sql=sql)
    assert caught.value.code is FailureCode.DEADLINE_EXCEEDED
    assert await service.rows("SELECT 1") == [[1]]


@only_real
async def test_one_callers_endless_queries_starve_neither_colleague_nor_other_tenants(
    service: Service, tables: None
) -> None:
    queries = service.queries(queries=3, queries_per_tenant=2, queries_per_principal=1, waiting_per_principal=4)
    bob = Principal("acme", "usr_bob", "cli", ANN.scopes, "gid")
    hogs = [asyncio.create_task(queries.run_sql(ANN, sql=ENDLESS)) for _ in range(6)]
    with anyio.fail_after(60):
        done, running = await asyncio.wait(hogs, return_when=asyncio.FIRST_COMPLETED)
        failure = done.pop().exception()
        assert isinstance(failure, Failure)
        assert (failure.code, failure.retry_after_seconds) == (FailureCode.BUSY, 5)
        for _ in range(10):
            point = "SELECT total FROM eng_orders WHERE pk = 'cust1' AND n = 2"
            assert (await queries.run_sql(bob, sql=point)).rows == [["12.25"]]
            assert (await queries.run_sql(EVE, sql="SELECT 1 AS one")).rows == [[1]]
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        assert (await queries.run_sql(ANN, sql="SELECT 1 AS one")).rows == [[1]]


@pytest.mark.parametrize(
    ("sql", "code", "message"),
    [
        ("SELECT * FROM nosuch", FailureCode.UNKNOWN_TABLE, 'There is no table "nosuch" in schema "shop".'),
        ("SELECT * FROM narrow.eng_big", FailureCode.UNKNOWN_TABLE, 'There is no table "eng_big" in schema "narrow".'),
        ("SELECT * FROM narrow.eng_missing", FailureCode.UNKNOWN_TABLE, None),
        ("SELECT * FROM rival.eng_rival", FailureCode.UNKNOWN_SCHEMA, 'There is no schema "rival".'),
        ("SELECT * FROM nosuch.eng_rival", FailureCode.UNKNOWN_SCHEMA, 'There is no schema "nosuch".'),
        ("SELECT * FROM asleep.eng_orders", FailureCode.UNKNOWN_SCHEMA, 'Schema "asleep" is disabled.'),
        ("SELECT nope FROM eng_orders", FailureCode.UNKNOWN_COLUMN, None),
        ("DELETE FROM eng_orders", FailureCode.STATEMENT_NOT_ALLOWED, None),
        ("SELECT * FROM read_csv('/etc/passwd')", FailureCode.FUNCTION_NOT_ALLOWED, None),
        ("SELECT n % 0 FROM eng_orders", FailureCode.EVALUATION_ERROR, None),
        ("SELECT pk::INTEGER FROM eng_orders", FailureCode.EVALUATION_ERROR, None),
    ],
)
async def test_what_cannot_be_run_says_why(
    service: Service, tables: None, sql: str, code: FailureCode, message: str | None
) -> None:
    with pytest.raises(Failure) as caught:
        await service.run(sql)
    assert caught.value.code is code
    told = worded(caught.value).message
    assert message is None or told == message
    for internal in ("r0", "c0", "eng_rival", "127.0.0.1"):
        assert internal not in told.replace(sql, "")


@pytest.mark.parametrize(
    ("limits", "arguments"),
    [
        ({}, {"max_read_units": 10.0}),
        ({"read_pages": 1}, {"allow_full_scan": True}),
        ({"confirm_read_units": 1.0}, {"allow_full_scan": True}),
        ({"full_scan_items": 1}, {}),
    ],
)
async def test_a_scan_that_takes_too_much_comes_with_the_conditions_that_avoid_it(
    service: Service, tables: None, limits: dict[str, Any], arguments: dict[str, Any]
) -> None:
    with pytest.raises(Failure) as caught:
        await service.queries(**limits).run_sql(ANN, sql="SELECT max(t) FROM eng_big", **arguments)
    assert worded(caught.value).next_action.startswith('Filter "eng_big" by pk = ? (explain_sql tells what that takes)')


async def test_an_error_of_the_evaluation_has_a_place_and_a_remedy(service: Service, tables: None) -> None:
    """In the caller's own text, though DuckDB sees another."""
    with pytest.raises(Failure) as caught:
        await service.run("SELECT n,\n  e.pk::INTEGER AS p\nFROM eng_orders e")
    assert caught.value.position == Position(2, 3)
    assert "TRY_CAST" in worded(caught.value).next_action
    with pytest.raises(Failure) as caught:
        await service.run("SELECT sum(pk) FROM eng_orders")
    assert caught.value.position == Position(1, 8)
    assert "CAST" in worded(caught.value).next_action
    assert "§" not in worded(caught.value).message


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_rows": 0},
        {"max_rows": 1001},
        {"max_read_units": 0.0},
        {"max_read_units": -1.0},
        {"max_read_units": float("nan")},
    ],
)
async def test_arguments_out_of_range(service: Service, arguments: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        await service.run("SELECT 1", **arguments)
    assert caught.value.code is FailureCode.INVALID_ARGUMENT


@pytest.mark.complaint(11)
async def test_tables_are_found_in_any_case_and_in_any_schema(service: Service, tables: None) -> None:
    assert await service.rows("SELECT count(*) FROM ENG_ORDERS") == [[12]]
    assert await service.rows('SELECT count(*) FROM shop.eng_orders a, "narrow"."eng_orders" b') == [[144]]
    assert await service.rows("SELECT count(*) FROM eng_orders", schema_name="NARROW") == [[12]]


@pytest.mark.complaint(2)
async def test_a_type_that_the_sample_did_not_show_is_learnt_on_the_way(service: Service) -> None:
    await service.create(
        "eng_learn", [{"pk": {"S": f"k{i}"}, "a": {"N": "1"}, "d": {"S": "2024-01-01"}} for i in range(20)]
    )
    assert await service.rows("SELECT sum(a), max(d) FROM eng_learn") == [[20, "2024-01-01"]]
    await service.put("eng_learn", [{"pk": {"S": "odd"}, "a": {"N": "0.5"}, "d": {"S": "soon"}}])
    assert await service.rows("SELECT sum(a), max(d) FROM eng_learn") == [["20.50", "soon"]]
    await service.put("eng_learn", [{"pk": {"S": "odder"}, "a": {"L": [{"N": "7"}]}}])
    result = await service.run("SELECT a FROM eng_learn WHERE pk = 'odder'")
    assert result.rows == [["[7]"]]
    assert any('Column "a" of "eng_learn"' in warning for warning in result.warnings)


async def test_a_declared_type_that_is_wrong_is_told(service: Service) -> None:
    await service.create("eng_declared", [{"pk": {"S": "a"}, "a": {"S": "text"}}])
    with pytest.raises(Failure) as caught:
        await service.run("SELECT a FROM eng_declared")
    assert caught.value.code is FailureCode.TYPE_CONFLICT
    assert await service.rows("SELECT pk FROM eng_declared") == [["a"]]


@pytest.mark.complaint(1)
async def test_an_unknown_column_is_looked_for_again_once_the_sample_has_aged(service: Service) -> None:
    await service.create("eng_grow", [{"pk": {"S": "a"}}])
    assert await service.rows("SELECT * FROM eng_grow") == [["a"]]
    await service.put("eng_grow", [{"pk": {"S": "a"}, "extra": {"N": "1"}, "more": {"N": "1"}}])
    service.clock.time += 11
    assert await service.rows("SELECT extra FROM eng_grow") == [[1]]
    assert await service.rows("SELECT * FROM eng_grow") == [["a", 1, 1]]


@pytest.mark.parametrize("sql", ["SELECT pk FROM eng_remade WHERE pk = 'b'", "SELECT pk FROM eng_remade"])
async def test_a_table_made_anew_with_another_key_is_read_with_that(service: Service, sql: str) -> None:
    """What the catalogue knows of it is five minutes old at most, which is too old."""
    await service.create("eng_remade", [{"pk": {"S": "a"}}])
    assert await service.rows("SELECT pk FROM eng_remade WHERE pk = 'a'") == [["a"]]
    await service.tables.drop("eng_remade")
    await service.create("eng_remade", [{"pk": {"S": "b"}, "n": {"N": "1"}}], range_key="n")
    assert await service.rows(sql) == [["b"]]
    await service.tables.drop("eng_remade")


@pytest.mark.complaint(10)
async def test_odd_attribute_names_and_values_come_through(service: Service) -> None:
    item: dict[str, Any] = {
        "pk": {"S": "a"},
        "select": {"S": "reserved"},
        "a b.c[0]": {"N": "123456789012345678901234567890.12345678"},
        "A": {"N": "1"},
        "a": {"S": "lower"},
        '"quoted"': {"BOOL": False},
        "💥": {"SS": ["z", "a"]},
        "bytes": {"B": b"\x00\xff"},
        "doc": {"M": {"k": {"L": [{"N": "1.25"}, {"NULL": True}]}}},
        "nothing": {"NULL": True},
    }
    await service.create("eng_odd", [item])
    result = await service.run("SELECT * FROM eng_odd")
    found = {column.name: (column.type, value) for column, value in zip(result.columns, result.rows[0], strict=True)}
    assert found == {
        "pk": ("VARCHAR", "a"),
        "select": ("VARCHAR", "reserved"),
        "a b.c[0]": ("DECIMAL(38,8)", "123456789012345678901234567890.12345678"),
        "A": ("BIGINT", 1),
        "a": ("VARCHAR", "lower"),
        '"quoted"': ("BOOLEAN", False),
        "💥": ("VARCHAR[]", ["a", "z"]),
        "bytes": ("BLOB", "AP8="),
        "doc": ("STRUCT(k DECIMAL(38,2)[])", {"k": ["1.25", None]}),
        "nothing": ("VARCHAR", None),
    }
    assert await service.rows("SELECT doc->'k'->>0 AS v, _doc->>'select' AS s FROM eng_odd") == [["1.25", "reserved"]]


async def test_queries_run_side_by_side(service: Service, tables: None) -> None:
    results = await asyncio.gather(*(service.rows(f"SELECT count(*) + {n} FROM eng_orders") for n in range(4)))
    assert results == [[[12 + n]] for n in range(4)]


def cpu_ticks(pid: int) -> int:
    """The processor time that a process has taken, in hundredths of a second; none once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


async def kill_busy_child(service: Service) -> None:
    """Kills the first child that is seen to compute for a third of a second."""
    sandbox = service.ports.relational
    assert isinstance(sandbox, DuckDbSandbox)
    before: dict[int, int] = {}
    with anyio.fail_after(60):
        while True:
            await asyncio.sleep(0.01)
            for pid in sandbox.process_ids():
                if cpu_ticks(pid) > 30 + before.setdefault(pid, cpu_ticks(pid)):
                    os.kill(pid, signal.SIGKILL)
                    return


@only_doubles
@pytest.mark.parametrize(("losses", "read"), [(0, 12), (1, 24)])
async def test_a_lost_evaluation_is_run_once_more(service: Service, tables: None, losses: int, read: int) -> None:
    assert isinstance(service.ports.relational, InProcessDuckDb)
    service.ports.relational.losses = losses
    result = await service.run("SELECT count(*) + 0 FROM eng_orders")
    assert (result.rows, result.statistics.items_read) == ([[12]], read)


@only_doubles
async def test_an_evaluation_that_is_lost_twice_has_failed(service: Service, tables: None) -> None:
    assert isinstance(service.ports.relational, InProcessDuckDb)
    service.ports.relational.losses = 2
    with pytest.raises(Failure) as caught:
        await service.run("SELECT count(*) + 0 FROM eng_orders")
    assert caught.value.fact == EvaluatorLost()


async def test_a_long_statement_is_planned_beside_the_service(service: Service, tables: None) -> None:
    numbers = ", ".join(map(str, range(1500)))
    result = await service.run(f"SELECT total FROM eng_orders WHERE pk = 'cust1' AND n IN ({numbers}) AND n > 1")
    assert sorted(result.rows) == [["12.25"], ["13.25"]]
    with pytest.raises(Failure) as caught:
        await service.run(f"SELECT 1 FROM nosuch WHERE n IN ({numbers})")
    assert caught.value.code is FailureCode.UNKNOWN_TABLE


@only_real
async def test_a_query_whose_child_is_killed_is_run_once_more(service: Service, tables: None) -> None:
    """Its input came through a pipe, so it has to be read again, and is paid for again."""
    slow = "range(20000) a(i), range(20000) b(j) WHERE (i * j + n) % 13 = 1"
    statement = f"SELECT any_value(n) AS n FROM (SELECT count(t) AS n FROM eng_big), {slow}"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill_busy_child, service)
        result = await service.run(statement)
    assert result.rows == [[1500]]
    assert result.statistics.items_read == 2 * 1500


@only_real
async def test_a_query_that_loses_two_children_fails_and_no_other_does(service: Service, tables: None) -> None:
    slow = asyncio.create_task(service.run(ENDLESS))
    for _ in range(2):
        await kill_busy_child(service)
    with pytest.raises(Failure) as caught:
        await slow
    assert caught.value.code is FailureCode.INTERNAL_ERROR
    assert await service.rows("SELECT count(*) FROM eng_orders") == [[12]]


async def test_explaining_reads_nothing(service: Service, tables: None) -> None:
    explained = await service.queries().explain_sql(
        ANN, sql="SELECT total FROM eng_orders WHERE pk = 'cust1' AND n > 1"
    )
    assert [read.access for read in explained.reads] == ["Query"]
    assert explained.large_tables == ()
    assert "eng_orders" in explained.plan
    with pytest.raises(Failure) as caught:
        await service.queries().explain_sql(ANN, sql="SELECT * FROM rival.eng_rival")
    assert caught.value.code is FailureCode.UNKNOWN_SCHEMA


async def test_what_is_refused_is_explained_as_it_would_be_read_if_it_were_allowed(service: Service) -> None:
    name = "qry_allowed"
    await service.tables.create(name, (("pk", "S"),), [HeldIndex("by_status", (("status", "S"),), frozenset())])
    items = [{"pk": {"S": f"k{n}"}, "status": {"S": "open"}, "note": {"S": "x"}} for n in range(20)]
    await service.put(name, items)
    table = (await service.browsing().describe_table(ANN, table_name=name)).table
    indexes = (replace(table.indexes[0], partition_items=200_000.0),)
    await service.catalog.learn(replace(table, item_count=1_000_000, size_bytes=400_000_000, indexes=indexes))
    queries = service.queries()

    unasked = await queries.explain_sql(ANN, sql=f"SELECT note FROM {name} WHERE status = 'open'")
    refused = await queries.explain_sql(
        ANN, sql=f"SELECT a.note, max(b.note) FROM {name} a, {name} b WHERE a.status = 'open' GROUP BY ALL"
    )

    # Fetching an index's items by key takes more than a scan: it is done where nobody was asked for one.
    assert ([read.access for read in unasked.reads], unasked.large_tables) == (["Query"], ())
    assert ([read.access for read in refused.reads], refused.large_tables) == (["Scan", "Scan"], (name,))
    await service.catalog.describe(service.schemas.by_name["shop"], name, "force")


@pytest.mark.complaint(6)
async def test_large_tables_are_scanned_only_when_asked_for(service: Service, tables: None) -> None:
    table = (await service.browsing().describe_table(ANN, table_name="eng_big")).table
    large = type(table)(**{name: getattr(table, name) for name in table.__slots__} | {"item_count": 100_001})
    await service.catalog.learn(large)
    with pytest.raises(Failure) as caught:
        await service.run("SELECT count(*) FROM eng_big")
    assert caught.value.fact == LargeScan((LargeTable("eng_big", ("pk = ?",)),))
    explained = await service.queries().explain_sql(ANN, sql="SELECT count(*) FROM eng_big")
    assert explained.large_tables == ("eng_big",)
    assert verdict(explained) == (
        'The query needs a full scan of "eng_big": it is large. run_sql refuses that without allow_full_scan, or asks '
        "its person where the client can. Allowed, it takes what scans and cost say: about "
        f"{explained.cost.read_units:,.0f} read units."
    )
    assert explained.cost.read_units > 100
    beyond = await service.queries(read_units=100).explain_sql(ANN, sql="SELECT count(*) FROM eng_big")
    assert verdict(beyond) == (
        f"{verdict(explained)} It is expected to take about {beyond.cost.read_units:,.0f} read units, and run_sql ends "
        "a query, without a result, at 100, whatever is allowed."
    )
    assert await service.rows("SELECT count(*) FROM eng_big", allow_full_scan=True) == [[1500]]
    assert await service.rows("SELECT n FROM eng_big WHERE pk = 'k7'") == [[7]]
    await service.catalog.describe(service.schemas.by_name["shop"], "eng_big", "force")
