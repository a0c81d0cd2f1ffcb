"""Which indexes are told that would take less, and what they are compared with."""

from dataclasses import replace

from mcp_server.domain.rejected_index import RejectedIndex, that_save
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Index, KeyAttribute, Table, TypeKind
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
    "by_total", "LSI", (KeyAttribute("customer", S),), (KeyAttribute("total", N),), None, partition_items=40.0
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
