"""Which indexes are told that would take less, and what they are compared with."""

from dataclasses import replace

import pytest

from mcp_server.domain.rejected_index import RejectedIndex, that_save
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Index, KeyAttribute, Table, TypeKind
from mcp_server.planning.advice import scanned
from mcp_server.planning.expectations import expected
from mcp_server.planning.plan import Read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse

S, N = AttributeType.STRING, AttributeType.NUMBER
VARCHAR, BIGINT = ColumnType(TypeKind.VARCHAR), ColumnType(TypeKind.BIGINT)

BY_STATUS = Index(
    "by_status", "GSI", (KeyAttribute("status", S),), (KeyAttribute("paid", S),), None, partition_items=40.0
)
BY_TOTAL = Index(
    "by_total", "LSI", (KeyAttribute("customer", S),), (KeyAttribute("total", N),), None, partition_items=50.0
)
ORDERS = Table(
    schema="demo",
    name="orders",
    physical_name="orders",
    hash_key=KeyAttribute("customer", S),
    range_key=KeyAttribute("day", S),
    indexes=(BY_STATUS, BY_TOTAL),
    columns=(
        Column("customer", VARCHAR, frozenset({S}), nullable=False),
        Column("day", VARCHAR, frozenset({S}), nullable=False),
        Column("status", VARCHAR, frozenset({S})),
        Column("paid", VARCHAR, frozenset({S})),
        Column("total", BIGINT, frozenset({N})),
    ),
    item_count=2_000,
    size_bytes=2_000_000,
    refreshed_at=0,
    partition_items=50.0,
)
WANTED = replace(
    ORDERS,
    name="wanted",
    physical_name="wanted",
    hash_key=KeyAttribute("id", S),
    range_key=None,
    indexes=(),
    columns=(
        Column("id", VARCHAR, frozenset({S}), nullable=False),
        Column("customer", VARCHAR, frozenset({S})),
        Column("status", VARCHAR, frozenset({S})),
    ),
    item_count=5,
    size_bytes=500,
    partition_items=1.0,
)


def reads_of(sql: str, orders: Table = ORDERS) -> tuple[Read, ...]:
    statement = parse(sql, None)
    tables = {name: orders if name.name == "orders" else WANTED for name in statement.tables}
    return bind(statement, "demo", tables).reads(consistent=False)


def read_of(sql: str, orders: Table = ORDERS) -> Read:
    """How the orders are read."""
    return next(read for read in reads_of(sql, orders) if read.relation.table.name == "orders")


def test_only_indexes_that_save_are_told_and_compared_with_the_read_that_is_made() -> None:
    dear, cheap = RejectedIndex("dear", "x", 9.0, 100.0), RejectedIndex("cheap", "x", 2.0, 100.0)

    assert that_save((dear, cheap), 5.0) == (replace(cheap, instead_of=5.0),)


def test_a_read_that_waits_is_not_compared_with_the_scan_that_it_spares() -> None:
    alone = read_of("SELECT * FROM orders WHERE status = 'open'")
    waiting = read_of(
        "SELECT * FROM wanted w JOIN orders o ON o.customer = w.customer AND o.day = '1' WHERE o.status = 'open'"
    )

    assert [one.name for one in alone.rejected] == ["by_status"]
    assert (waiting.stage is not None, waiting.access) == (True, "GetItem")
    assert waiting.estimate.read_units < alone.rejected[0].read_units
    assert waiting.rejected == ()


def test_once_fewer_keys_are_expected_the_index_saves_nothing() -> None:
    reads = reads_of("SELECT * FROM wanted w JOIN orders o ON o.customer = w.customer WHERE o.status = 'open'")
    by_name = {read.relation.name: read for read in reads}
    planned = next(read for read in reads if read.stage is not None)
    assert [one.name for one in planned.rejected] == ["by_status"]

    one_unit = replace(planned.estimate, read_units=1.0)
    made = expected(reads, by_name, lambda read: one_unit if read is planned else None)

    assert [read.rejected for read in made if read.stage is not None] == [()]


LARGE = replace(ORDERS, item_count=300_000, size_bytes=300_000_000)
JOIN = "SELECT * FROM wanted w JOIN orders o ON o.status = w.status"


@pytest.mark.parametrize(
    "sql",
    [
        JOIN,
        "SELECT * FROM wanted w LEFT JOIN orders o ON o.status = w.status",
        "SELECT * FROM orders o WHERE o.status IN (SELECT status FROM wanted)",
        "SELECT * FROM orders o WHERE o.status = (SELECT max(status) FROM wanted)",
    ],
)
@pytest.mark.parametrize("orders", [ORDERS, LARGE])
def test_the_index_by_which_rows_could_name_partitions_is_told_with_its_remedy(sql: str, orders: Table) -> None:
    remedied = sql + (" WHERE" if "WHERE" not in sql and "LEFT" not in sql else " AND") + " o.paid IS NOT NULL"
    read, other = read_of(sql, orders), read_of(remedied, orders)

    assert (read.access, read.stage) == ("Scan", None)
    (told,) = read.rejected
    assert told.name == "by_status"
    assert "add paid IS NOT NULL" in told.reason
    assert (other.index, other.stage is not None, other.rejected) == ("by_status", True, ())
    assert (told.read_units, told.instead_of) == (other.estimate.read_units, read.estimate.read_units)


def test_a_scan_that_is_refused_names_the_index_for_a_join() -> None:
    (table,) = scanned([read_of(JOIN, LARGE)])

    assert [one.name for one in table.rejected] == ["by_status"]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (f"{JOIN}, orders p", "more partitions than are read one by one"),
        ("SELECT * FROM orders o JOIN orders p ON o.status = p.status", "both are scanned in any case"),
        ("SELECT * FROM wanted w JOIN orders o ON o.paid = w.status", "no key of an index"),
    ],
)
def test_no_index_is_told_by_which_nothing_would_be_saved(sql: str, why: str) -> None:
    many = replace(WANTED, item_count=1_000, size_bytes=100_000)
    statement = parse(sql, None)
    tables = {name: ORDERS if name.name == "orders" else many for name in statement.tables}
    reads = bind(statement, "demo", tables).reads(consistent=False)

    assert [read.rejected for read in reads] == [()] * len(reads), why


@pytest.mark.parametrize("end", ["ORDER BY total DESC LIMIT 2", "ORDER BY total LIMIT 2"])
def test_the_index_in_whose_order_few_items_would_be_enough_is_told(end: str) -> None:
    read = read_of(f"SELECT * FROM orders WHERE customer = 'c' {end}")
    other = read_of(f"SELECT * FROM orders WHERE customer = 'c' AND total IS NOT NULL {end}")

    assert (read.access, read.index, read.enough) == ("Query", None, None)
    (told,) = read.rejected
    assert told.name == "by_total"
    assert "add total IS NOT NULL" in told.reason
    assert (other.index, other.enough, other.rejected) == ("by_total", 2, ())
    assert told.read_units == other.estimate.read_units < read.estimate.read_units


def test_an_index_that_lacks_items_and_columns_counts_with_the_items_to_fetch() -> None:
    keys_only = replace(BY_STATUS, projected=frozenset())
    all_of_them = read_of("SELECT * FROM orders WHERE status = 'open'")
    by_keys = read_of("SELECT * FROM orders WHERE status = 'open'", replace(ORDERS, indexes=(keys_only,)))

    assert by_keys.rejected[0].read_units > all_of_them.rejected[0].read_units + 10


def test_no_index_is_told_for_a_join_with_a_table_that_is_scanned_in_any_case() -> None:
    reads = reads_of(f"{JOIN}, (SELECT count(total) AS n FROM orders) p")

    assert [(read.access, read.rejected) for read in reads if read.relation.table is ORDERS] == [("Scan", ())] * 2
    assert read_of(JOIN).rejected


BY_AGENT = Index("by_agent", "GSI", (KeyAttribute("agent", S),), (KeyAttribute("paid", S),), None, partition_items=10.0)
EITHER = replace(
    ORDERS, indexes=(*ORDERS.indexes, BY_AGENT), columns=(*ORDERS.columns, Column("agent", VARCHAR, frozenset({S})))
)


def where(condition: str, orders: Table = EITHER) -> Read:
    return read_of(f"SELECT * FROM orders WHERE {condition}", orders)


@pytest.mark.parametrize(
    ("condition", "remedied"),
    [
        ("customer = 'c' OR status = 'open'", "customer = 'c' OR status = 'open' AND paid IS NOT NULL"),
        (
            "total > 7 AND (status IN ('a', 'b') OR customer = 'c' AND day > '2')",
            "total > 7 AND (status IN ('a', 'b') AND paid IS NOT NULL OR customer = 'c' AND day > '2')",
        ),
        (
            "customer = 'c' OR status = 'open' AND total = 7 OR agent = 'a' AND paid > '2'",
            "customer = 'c' OR status = 'open' AND total = 7 AND paid IS NOT NULL OR agent = 'a' AND paid > '2'",
        ),
    ],
)
def test_the_index_by_which_a_part_of_an_or_would_be_read_is_told_with_its_remedy(
    condition: str, remedied: str
) -> None:
    read, other = where(condition), where(remedied)
    declared = tuple(replace(one, nullable=one.name != "paid") for one in EITHER.columns)

    (told,) = read.rejected
    assert (read.access, told.name) == ("Scan", "by_status")
    assert "add paid IS NOT NULL to each part of the OR that names status, if there are none," in told.reason
    assert (other.access, other.rejected) == ("Union", ())
    assert "by_status" in {branch.index for branch in other.branches}
    assert (told.read_units, told.instead_of) == (other.estimate.read_units, read.estimate.read_units)
    assert where(condition, replace(EITHER, columns=declared)).access == "Union"


def test_of_several_indexes_that_an_or_lacks_each_is_told_with_the_others() -> None:
    told = {one.name: one for one in where("status = 'open' OR agent = 'a' OR customer = 'c'").rejected}

    assert set(told) == {"by_status", "by_agent"}
    assert told["by_status"].reason.endswith('; the OR needs index "by_agent", too')
    assert told["by_agent"].reason.endswith('; the OR needs index "by_status", too')
    assert "that names agent" in told["by_agent"].reason
    remedied = "status = 'open' AND paid IS NOT NULL OR agent = 'a' AND paid IS NOT NULL OR customer = 'c'"
    assert where(remedied).access == "Union"


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("customer = 'c' OR status = 'open' OR total = 7", "one part names no key"),
        ("status IN ('a', 'b', 'c', 'd') OR customer IN ('e', 'f', 'g', 'h', 'i', 'j', 'k')", "the scan takes less"),
        ("customer = 'c' AND day = '1' OR customer = 'd' AND (day = '2' OR status = 'x')", "one key names all"),
    ],
)
def test_no_index_is_told_by_which_an_or_would_save_nothing(condition: str, why: str) -> None:
    small = replace(EITHER, item_count=400, size_bytes=400_000)

    assert where(condition, small).rejected == (), why


def test_each_part_of_an_or_says_what_else_keeps_its_index_away() -> None:
    (told,) = bound("SELECT * FROM orders WHERE customer = 'c' OR status = 'open' AND paid > '2'").rejected

    assert told.reason == "a global index cannot be read consistently; leave out consistent_read to use it"


def bound(sql: str) -> Read:
    """How the orders are read consistently."""
    statement = parse(sql, None)
    (read,) = bind(statement, "demo", dict.fromkeys(statement.tables, EITHER)).reads(consistent=True)
    return read
