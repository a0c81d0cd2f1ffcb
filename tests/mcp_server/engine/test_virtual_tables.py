"""Items of one kind as a table: the same rows as written by hand, read by key where the columns name keys."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.access.rules import restricted
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.restriction import Restriction
from mcp_server.domain.schema import Examples
from tests.mcp_server.engine.conftest import ANN, EVE, Service

pytestmark = pytest.mark.anyio


def items() -> list[dict[str, Any]]:
    """Customers, orders, and what is nearly one."""
    found: list[dict[str, Any]] = []
    for customer in range(30):
        pk = {"S": f"CUSTOMER#{customer:02d}"}
        found.append({"pk": pk, "sk": {"S": "PROFILE"}, "name": {"S": f"n{customer}"}})
        for order in range(customer % 4):
            item: dict[str, Any] = {
                "pk": pk,
                "sk": {"S": f"ORDER#2026-0{order + 1}-10#{customer}{order}"},
                "total": {"N": str(customer * 10 + order)},
            }
            found.append(item | ({"g": {"S": "STATUS#OPEN"}} if order == 1 else {}))
    found += [
        {"pk": {"S": "CUSTOMER#01"}, "sk": {"S": "ORDER#"}, "total": {"N": "1"}},
        {"pk": {"S": "CUSTOMER#01"}, "sk": {"S": "ORDER#2026-05-05#"}, "total": {"N": "1"}},
        {"pk": {"S": "CUSTOMER#"}, "sk": {"S": "PROFILE"}, "name": {"S": "nobody"}},
        {"pk": {"S": "CUSTOMER#03"}, "sk": {"S": "ORDER#2026-09-09#a#b"}, "total": {"N": "7"}, "g": {"S": "STATUS"}},
        {"pk": {"S": "EVENT#1"}, "sk": {"S": "PROFILE"}, "total": {"S": "not a number"}},
    ]
    return [{**item, "visible": {"S": "yes"}, "secret": {"S": "kept"}} for item in found] + [
        {"pk": {"S": "CUSTOMER#02"}, "sk": {"S": "ORDER#2026-01-11#x"}, "total": {"N": "0"}, "secret": {"S": "kept"}}
    ]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.tables.create("vir_all", (("pk", "S"), ("sk", "S")))
    await service.put("vir_all", items())

    await service.tables.create("vir_large", (("pk", "S"), ("sk", "S")))
    await service.put(
        "vir_large",
        [
            {"pk": {"S": f"CUSTOMER#{customer}"}, "sk": {"S": f"ORDER#{order}"}, "note": {"S": "x" * 2000}}
            for customer in range(300)
            for order in range(3)
        ],
    )
    calls = [{"pk": {"S": f"k{n}"}, "cust": {"S": str(n)}, "ord": {"S": str(n % 3)}} for n in range(300)]
    await service.create("vir_calls", [*calls, {"pk": {"S": "none"}}])


VIEWS = """WITH customers AS (
  SELECT *, substr(pk, 10) AS customer_id FROM vir_all
  WHERE starts_with(pk, 'CUSTOMER#') AND length(pk) > 9 AND sk = 'PROFILE'
), orders AS (
  SELECT * REPLACE (CAST(total AS BIGINT) AS total), substr(pk, 10) AS customer_id,
    regexp_extract(sk, '^ORDER#([^#]+)#(.+)$', 1) AS placed_on,
    regexp_extract(sk, '^ORDER#([^#]+)#(.+)$', 2) AS order_id FROM vir_all
  WHERE starts_with(pk, 'CUSTOMER#') AND length(pk) > 9 AND regexp_matches(sk, '^ORDER#[^#]+#.+$')
) """


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*), sum(total) FROM orders",
        "SELECT customer_id, order_id, total FROM orders WHERE customer_id = '03' ORDER BY ALL",
        "SELECT customer_id, order_id FROM orders WHERE customer_id IN ('03', '07', 'none') ORDER BY ALL",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on = '2026-02-10' AND order_id = '31'",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on >= '2026-02' ORDER BY ALL",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on LIKE '2026-0%' ORDER BY ALL",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on <= '2026-02-10' ORDER BY ALL",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on < '2026-02-10' ORDER BY ALL",
        "SELECT max(order_id) FROM orders WHERE customer_id = '03' AND placed_on BETWEEN '2026-02' AND '2026-03-10'",
        "SELECT order_id FROM orders WHERE customer_id = '03' AND placed_on = '2026-09-09' AND order_id > 'a'",
        "SELECT order_id FROM orders WHERE order_id = '31' OR placed_on = '2026-03-10' ORDER BY ALL",
        "SELECT order_id FROM orders WHERE NOT order_id = '31' AND customer_id < '08' ORDER BY ALL",
        "SELECT order_id FROM orders WHERE customer_id = '' OR order_id = ''",
        "SELECT c.name, o.total FROM customers c LEFT JOIN orders o USING (customer_id) ORDER BY ALL",
        "SELECT name FROM customers WHERE customer_id = '03'",
        "SELECT name FROM customers ORDER BY customer_id DESC LIMIT 3",
        "SELECT max(customer_id), min(placed_on) FROM orders",
        "SELECT customer_id FROM orders WHERE placed_on BETWEEN '2026-02-01' AND '2026-02-28' ORDER BY ALL",
        "SELECT count(*) FROM orders WHERE sk = 'ORDER#2026-01-10#10'",
        "SELECT secret, count(*) FROM orders GROUP BY 1",
        "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders)",
    ],
)
async def test_rows_are_those_of_the_view_written_by_hand(service: Service, sql: str) -> None:
    virtual = sql.replace("orders", "vir_orders").replace("customers", "vir_customers")
    assert await service.rows(virtual) == await service.rows(VIEWS + sql)


@pytest.mark.parametrize(
    ("condition", "access", "key"),
    [
        ("customer_id = '03'", "Query", {"CUSTOMER#03", "ORDER#"}),
        ("customer_id = '03' AND placed_on = '2026-02-10'", "Query", {"CUSTOMER#03", "ORDER#2026-02-10#"}),
        ("customer_id = '03' AND placed_on = '2026-02-10' AND order_id = '31'", "GetItem", {"CUSTOMER#03"}),
        ("customer_id = '03' AND placed_on = '2026-02-10' AND order_id >= '4'", "Query", {"ORDER#2026-02-10#4"}),
        ("customer_id = '03' AND placed_on >= '2026-02'", "Query", {"ORDER#2026-02", "BETWEEN"}),
        ("customer_id = '03' AND placed_on LIKE '2026-02%'", "Query", {"ORDER#2026-02", "begins_with"}),
        (
            "customer_id = '03' AND placed_on BETWEEN '2026-02' AND '2026-03'",
            "Query",
            {"ORDER#2026-02", "ORDER#2026-03$"},
        ),
        ("order_id = '31'", "Scan", {"CUSTOMER#", "ORDER#"}),
    ],
)
async def test_conditions_on_columns_are_conditions_on_keys(
    service: Service, condition: str, access: str, key: set[str]
) -> None:
    explained = await service.queries().explain_sql(ANN, sql=f"SELECT total FROM vir_orders WHERE {condition}")
    (read,) = explained.reads
    assert read.access == access
    said = repr([request.arguments for request in read.requests])
    for text in key:
        assert text in said
    assert "order_id" not in said
    assert "placed_on" not in said


async def test_it_is_a_table_like_others(service: Service) -> None:
    described = (await service.browsing().describe_table(ANN, table_name="vir_orders")).table
    columns = {column.name: column.type.sql for column in described.columns}
    assert columns["placed_on"] == columns["order_id"] == columns["customer_id"] == "VARCHAR"
    # Of the other kinds nothing is seen: an event has a total that is no number, a customer has a name.
    assert columns["total"] == "BIGINT"
    assert "name" not in columns
    assert described.physical_name == "vir_all"
    listing = await service.browsing(listed_tables=5000).list_tables(ANN, refresh="force")
    assert {"vir_orders", "vir_customers", "vir_all"} <= {table.name for table in listing.tables}
    document = await service.rows("SELECT _doc->>'order_id', _doc->>'secret' FROM vir_orders WHERE customer_id = '01'")
    assert document == [["10", "***"]]


async def test_of_others_it_is_none(service: Service) -> None:
    with pytest.raises(Failure) as unknown:
        await service.run("SELECT * FROM vir_orders", EVE)
    assert unknown.value.code is FailureCode.UNKNOWN_TABLE
    with pytest.raises(Failure) as elsewhere:
        await service.run("SELECT * FROM narrow.vir_orders", replace(ANN, subject="usr_x"))
    assert elsewhere.value.code is FailureCode.UNKNOWN_TABLE


async def test_a_table_without_a_single_item_has_its_columns(service: Service) -> None:
    assert await service.rows("SELECT customer_id, count(*) FROM vir_guarded GROUP BY 1") == []


async def test_an_item_of_another_type_widens_the_virtual_table_alone(service: Service) -> None:
    key = {"pk": {"S": "CUSTOMER#55"}, "sk": {"S": "ORDER#2026-01-01#1"}}
    assert await service.rows("SELECT sum(total) FROM vir_orders WHERE customer_id = '01'") == [[10]]
    await service.put("vir_all", [{**key, "total": {"S": "free"}, "visible": {"S": "yes"}}])
    try:
        assert await service.rows("SELECT total FROM vir_orders WHERE customer_id = '55'") == [["free"]]
        assert await service.rows("SELECT count(*) FROM vir_orders WHERE total = '10'") == [[1]]
    finally:
        await service.tables.delete("vir_all", key)


async def test_an_attribute_that_is_no_key_narrows_too(service: Service) -> None:
    rows = await service.rows("SELECT status, count(*) FROM vir_open GROUP BY 1")
    assert rows == [["OPEN", sum(1 for customer in range(30) if customer % 4 > 1)]]
    assert await service.rows("SELECT count(*) FROM vir_open WHERE status = 'CLOSED'") == [[0]]


@pytest.mark.parametrize("max_rows", [1, 2, 5])
async def test_pages_have_each_row_once(service: Service, max_rows: int) -> None:
    """Between its items there are those of other kinds, which are no rows of any page."""
    sql = "SELECT customer_id, order_id FROM vir_orders"
    page = await service.run(sql, max_rows=max_rows)
    rows = page.rows
    while page.next_cursor is not None:
        page = await service.run(sql, max_rows=max_rows, cursor=page.next_cursor)
        rows = rows + page.rows
    assert sorted(rows) == await service.rows(f"{sql} ORDER BY ALL")


@pytest.mark.parametrize("order", ["", " ORDER BY sk", " ORDER BY sk DESC"])
async def test_a_page_is_read_as_far_as_it_needs(service: Service, order: str) -> None:
    """A partition has other kinds before and between its items, and some that are kept from everybody."""
    items = [
        {"pk": {"S": "CUSTOMER#77"}, "sk": {"S": f"ORDER#2025-01-01#{number:03d}"}, "visible": {"S": visible}}
        for number in range(400)
        for visible in ["yes" if number % 2 else "no"]
    ]
    items += [
        {"pk": {"S": "CUSTOMER#77"}, "sk": {"S": f"ORDER#{number}"}, "visible": {"S": "yes"}} for number in (1, 2)
    ]
    await service.put("vir_all", items)
    sql = f"SELECT order_id FROM vir_orders WHERE customer_id = '77'{order}"
    try:
        page = await service.run(sql, max_rows=9)
        assert (len(page.rows), page.statistics.items_read <= 51) == (9, True)
        assert page.statistics.pages_read == 1
        rows = page.rows
        while page.next_cursor is not None:
            page = await service.run(sql, max_rows=9, cursor=page.next_cursor)
            rows = rows + page.rows
        found = [f"{number:03d}" for number in range(1, 400, 2)]
        assert [row[0] for row in rows] == (found[::-1] if "DESC" in order else found)
    finally:
        for item in items:
            await service.tables.delete("vir_all", {"pk": item["pk"], "sk": item["sk"]})


async def test_parts_of_keys_are_described_by_what_they_hold_but_not_to_those_from_whom_some_is_kept(
    service: Service,
) -> None:
    seen = (await service.browsing().describe_table(ANN, table_name="vir_orders")).table
    assert seen.whole is not None
    without_pk = replace(seen.whole, hash_key=replace(seen.whole.hash_key, name="other"))  # or nothing would be left
    closed = restricted(without_pk, Restriction(hidden=frozenset({"pk"})))
    told = [found.examples for table in (seen.whole, seen, closed) for found in [table.column("customer_id")] if found]
    customers = tuple(f"{number:02d}" for number in range(30) if number % 4)
    assert told == [Examples(customers, "01", "29", "digits", shape="00")] * 2 + [None]
    placed = seen.column("placed_on")
    assert placed is not None
    assert placed.examples is not None
    assert "2026-01-11" not in placed.examples.values  # it is of the item that is not there


LARGE = """(SELECT substr(pk, 10) AS customer_id, substr(sk, 7) AS order_id, note FROM vir_large)"""


@pytest.mark.parametrize(
    ("sql", "items"),
    [
        ("SELECT o.order_id FROM vir_calls k JOIN vir_sales o ON o.customer_id = k.cust WHERE k.pk = 'k3'", 1 + 3),
        ("SELECT order_id FROM vir_sales o WHERE customer_id IN (SELECT cust FROM vir_calls WHERE pk = 'k3')", 1 + 3),
        (
            "SELECT o.note FROM vir_calls k JOIN vir_sales o ON o.customer_id = k.cust AND o.order_id = k.ord "
            "WHERE k.pk IN ('k3', 'k4')",
            2 + 2,
        ),
        (
            "SELECT k.pk, o.order_id FROM vir_calls k LEFT JOIN vir_sales o ON o.customer_id = k.cust "
            "WHERE k.pk = 'none'",
            1,
        ),
        ("SELECT note FROM vir_sales o WHERE (customer_id, order_id) IN (('1', '2'), ('7', '0'), ('7', '9'))", 2),
        (
            "SELECT note FROM vir_sales o "
            "WHERE customer_id = '1' AND order_id = '2' OR customer_id = '7' AND order_id = '0'",
            2,
        ),
        ("SELECT order_id FROM vir_sales o WHERE customer_id = '1' OR customer_id = '7' AND note <> 'y'", 3 + 3),
        ("SELECT note FROM vir_sales o WHERE (customer_id = '1' OR customer_id = '2') AND order_id = '2'", 2),
    ],
)
async def test_keys_are_named_by_other_rows_and_by_alternatives(service: Service, sql: str, items: int) -> None:
    result = await service.run(sql)
    assert sorted(result.rows, key=repr) == sorted(
        await service.rows(sql.replace("vir_sales", LARGE), allow_full_scan=True), key=repr
    )
    assert result.statistics.items_read == items


async def test_as_many_keys_may_be_named_as_of_a_table(service: Service) -> None:
    named = "SELECT count(*) FROM vir_calls k JOIN vir_sales o ON o.customer_id = k.cust AND o.order_id = k.ord"
    result = await service.run(f"{named} WHERE k.cust >= '10' AND k.cust < '2'")
    assert result.rows == [[110]]
    assert result.statistics.items_read == 110 + 110


async def test_alternatives_that_name_no_key_leave_nothing_out(service: Service) -> None:
    sql = "SELECT count(*) FROM vir_sales o WHERE customer_id = '1' OR note = 'y' OR order_id = '2'"
    assert await service.rows(sql, allow_full_scan=True) == [[302]]
