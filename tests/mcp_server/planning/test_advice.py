"""A query that follows the advice is read by that key."""

from dataclasses import replace

import pytest

from mcp_server.adapters.table_description import as_virtual
from mcp_server.domain.schema import AttributeType, Index, KeyAttribute, Table
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.advice import Advice, advice, scanned
from mcp_server.planning.key_paths import UNKNOWN_PARTITIONS
from mcp_server.planning.plan import Read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from mcp_server.surface.tools.structure import indexes
from tests.mcp_server.planning.test_access_path import BY_MANY, BY_STATUS, ORDERS

KEYS_ALONE = replace(BY_STATUS, name="keys_alone", projected=frozenset({"pk", "sk", "status"}))


def read_of(table: Table, condition: str, columns: str = "pk") -> Read:
    """How a query with that condition is read."""
    statement = parse(f"SELECT {columns} FROM orders WHERE {condition}", None)
    (relation,) = bind(statement, "demo", dict.fromkeys(statement.tables, table)).relations
    return plan_read(relation, consistent=False)


def access(table: Table, condition: str, columns: str = "pk") -> tuple[str, str | None]:
    """How a query with that condition is read; values are put in for its marks."""
    types = {column.name: column.attribute_types for column in table.columns}
    while "?" in condition:
        name = condition[: condition.index("?")].split()[-2]
        condition = condition.replace("?", "1" if AttributeType.NUMBER in types[name] else "'2024-01-01'", 1)
    read = read_of(table, condition, columns)
    return read.access, read.index


@pytest.mark.parametrize("index", [None, *ORDERS.indexes], ids=lambda index: index.name if index else "primary")
def test_the_condition_is_read_by_that_key(index: Index | None) -> None:
    given = advice(ORDERS, index)
    assert given.condition is not None
    assert access(ORDERS, given.condition) == ("Query", index.name if index is not None else None)


def test_a_key_that_may_be_missing_is_asked_for_and_one_that_is_there_is_not() -> None:
    assert advice(ORDERS, BY_MANY).condition == "a = ? AND b = ? AND c IS NOT NULL AND d IS NOT NULL"
    declared = tuple(replace(one, nullable=one.name != "c") for one in ORDERS.columns)
    assert advice(replace(ORDERS, columns=declared), BY_MANY).condition == "a = ? AND b = ? AND d IS NOT NULL"


def test_an_index_that_may_lack_items_of_another_type_is_not_advised() -> None:
    mixed = frozenset({AttributeType.STRING, AttributeType.NUMBER})
    columns = tuple(replace(one, attribute_types=mixed) if one.name == "status" else one for one in ORDERS.columns)
    table = replace(ORDERS, columns=columns)
    given = advice(table, BY_STATUS)
    assert given == Advice(None, 'it lacks the items whose "status" has another type than S')
    assert access(table, "status = 'x'") == ("Scan", None)


def test_an_index_without_all_columns_is_looked_up_through() -> None:
    known = replace(KEYS_ALONE, partition_items=20.0)
    table = replace(ORDERS, indexes=(known,))
    assert advice(table, known) == Advice("status = ?", lookup=True)
    assert access(table, "status = ?", "total") == ("Query", "keys_alone")
    (told,) = scanned([read_of(table, "total = 7")])
    assert "status = ?" in told.queries


def test_an_index_of_which_nobody_knows_how_many_items_to_fetch_is_advised_for_its_own_columns() -> None:
    table = replace(ORDERS, indexes=(KEYS_ALONE,))
    assert advice(table, KEYS_ALONE) == Advice("status = ?", unknown=True)
    assert access(table, "status = ?") == ("Query", "keys_alone")
    assert access(table, "status = ?", "total") == ("Scan", None)
    (told,) = scanned([read_of(table, "total = 7")])
    assert told.queries == ("pk = ?",)


@pytest.mark.parametrize(
    ("forms", "conditions"),
    [
        ({"pk": "C#{customer_id}"}, ["customer_id = ?", "status = ?", "customer_id = ? AND placed >= ?"]),
        (
            {"pk": "C#{area}#{customer_id}", "status": "S#{state}", "placed": "P#{day}#{number}"},
            ["area = ? AND customer_id = ?", "state = ?", "area = ? AND customer_id = ? AND day >= ?"],
        ),
        ({"pk": "EVENTS"}, ["sk = ?", "status = ?", "placed >= ?"]),
        ({"pk": "EVENTS", "placed": "P#{day}#"}, ["sk = ?", "status = ?", "day >= ?"]),
    ],
    ids=["one part", "several parts", "one partition", "parts of one partition"],
)
def test_a_virtual_table_is_queried_by_the_parts_of_its_keys(forms: dict[str, str], conditions: list[str]) -> None:
    virtual = VirtualTable("orders", "all", tuple((name, Template.parse(form)) for name, form in forms.items()))
    placed = [column for column in ORDERS.columns if column.name == "note"]
    columns = tuple(replace(placed[0], name=one.name) if one.name == "placed" else one for one in ORDERS.columns)
    table = as_virtual(replace(ORDERS, columns=columns), virtual)
    indexes = {"by_status": replace(BY_STATUS, projected=None), "by_placed": ORDERS.indexes[2]}
    table = replace(table, indexes=tuple(replace(one, name=name) for name, one in indexes.items()))
    given = [advice(table, index).condition for index in (None, *table.indexes)]
    assert given == conditions
    assert {access(table, condition)[0] for condition in conditions} <= {"Query", "GetItem"}


def test_a_sort_key_that_every_item_of_a_virtual_table_has_need_not_be_asked_for() -> None:
    index = replace(BY_STATUS, range_keys=(KeyAttribute("note", AttributeType.STRING),), projected=None)
    virtual = VirtualTable(
        "orders", "all", (("status", Template.parse("S#{state}")), ("note", Template.parse("N#{n}")))
    )
    table = as_virtual(replace(ORDERS, indexes=(index,)), virtual)
    assert advice(table, index).condition == "state = ?"
    assert access(table, "state = ?") == ("Query", "by_status")


def test_a_scan_that_has_to_be_allowed_names_the_keys_and_the_index_that_was_nearly_read() -> None:
    (told,) = scanned([read_of(ORDERS, "customer = 7")] * 2)
    given = [advice(ORDERS, index) for index in (None, *ORDERS.indexes)]
    assert told.queries == tuple(one.condition for one in given if not one.unknown)
    (rejected,) = told.rejected
    assert rejected.name == "by_customer"
    assert "add placed IS NOT NULL" in rejected.reason
    assert 0 < rejected.read_units < rejected.instead_of
    assert access(ORDERS, "customer = 7 AND placed IS NOT NULL") == ("Query", "by_customer")


def test_no_key_is_named_that_is_not_seen() -> None:
    table = replace(ORDERS, columns=tuple(one for one in ORDERS.columns if one.name not in ("pk", "status")))
    (told,) = scanned([read_of(table, "total = 7", "total")])
    assert "customer = ?" in told.queries[0]
    assert not any("pk" in condition or "status" in condition for condition in told.queries)


@pytest.mark.parametrize(
    ("partition_items", "note"),
    [
        (20.0, "Holds not all columns: others are fetched by key, item by item, where a scan takes more."),
        (None, f"Only used where it holds all columns needed: {UNKNOWN_PARTITIONS}."),
    ],
)
def test_a_structure_says_what_becomes_of_columns_that_an_index_lacks(partition_items: float | None, note: str) -> None:
    table = replace(ORDERS, indexes=(replace(KEYS_ALONE, partition_items=partition_items),))
    [_, told] = indexes(table)
    assert (told["query"], told["note"]) == ("status = ?", note)
