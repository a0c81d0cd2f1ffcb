"""Which columns a `*` stands for on later pages, and what a pin remembers of a read."""

from dataclasses import replace

import pytest

from mcp_server.access.rules import restricted
from mcp_server.domain.restriction import Mask, Restriction
from mcp_server.domain.schema import DOCUMENT, AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.pinned import LONGEST_COLUMNS, pin_of, pinned_read, with_pinned_columns
from mcp_server.planning.plan import Conjunct, Pin, Relation
from mcp_server.planning.predicate import Comparison

TEXT, STRING = ColumnType(TypeKind.VARCHAR), AttributeType.STRING


def column(name: str, *types: AttributeType) -> Column:
    """A column of texts."""
    return Column(name, TEXT, frozenset(types or (STRING,)))


TABLE = Table(
    *("shop", "people", "people", KeyAttribute("pk", STRING), None, ()),
    columns=(column("pk"), column("card"), column("email"), column("name")),
    item_count=1000,
    size_bytes=400_000,
    refreshed_at=0,
)
KEPT = Restriction(hidden=frozenset({"card"}), masks=(("email", Mask.LAST4), ("phone", Mask.NULL)))


def pin(*columns: str) -> Pin:
    """A pin of a scan of such columns."""
    return Pin("Scan", None, "", columns)


def names(table: Table | None) -> list[str]:
    """Those of a table's columns."""
    assert table is not None
    return [one.name for one in table.columns]


def test_the_same_columns_are_the_same_table() -> None:
    """By which the plan cache knows that nothing has changed."""
    assert with_pinned_columns(TABLE, pin("pk", "card", "email", "name")) is TABLE
    assert with_pinned_columns(TABLE, Pin("Scan", None, "")) is TABLE


def test_the_columns_are_those_of_the_pin_in_its_order() -> None:
    table = with_pinned_columns(TABLE, pin("pk", "name", "email"))
    assert names(table) == ["pk", "name", "email"]
    assert table.column("name") is TABLE.column("name")


def test_one_that_is_not_known_has_no_value_yet() -> None:
    table = with_pinned_columns(TABLE, pin("pk", "rare"))
    rare = table.column("rare")
    assert rare is not None
    assert (rare.type, rare.attribute_types, rare.nullable) == (TEXT, frozenset(), True)


def test_of_a_restricted_table_hidden_columns_stay_known_and_masked_ones_texts() -> None:
    table = with_pinned_columns(restricted(TABLE, KEPT), pin("pk", "email", "phone"))
    assert names(table) == ["pk", "email", "phone"]
    phone = table.column("phone")
    assert phone is not None
    assert phone.attribute_types == {STRING}  # what is shown in place of its values is one
    # `name` is not among them any more: a warning tells of it, and not of `card`.
    assert names(table.whole) == ["pk", "card", "email", "phone"]


@pytest.mark.parametrize(
    ("starred", "length", "kept"), [(True, 9, True), (False, 9, False), (True, LONGEST_COLUMNS, False)]
)
def test_columns_are_remembered_of_a_star_alone_and_within_a_length(starred: bool, length: int, kept: bool) -> None:
    table = replace(TABLE, columns=(*TABLE.columns, column("c" * length)))
    relation = Relation("r0", table, table.columns[1:], (), starred=starred)
    begun = pin_of(plan_read(relation, consistent=False))
    assert (begun.access, begun.index, begun.keys) == ("Scan", None, "")
    assert begun.columns == (tuple(names(table)) if kept else None)


def test_columns_are_remembered_where_all_are_used() -> None:
    """As by `SELECT * FROM (SELECT * FROM people)`, whose own star is another's."""
    begun = pin_of(plan_read(Relation("r0", TABLE, (*TABLE.columns, DOCUMENT), ()), consistent=False))
    assert begun.columns == tuple(names(TABLE))


def test_keys_are_told_apart_by_their_values_and_not_by_filters() -> None:
    def begun(key: str, *more: Conjunct) -> Pin:
        table = replace(TABLE, range_key=KeyAttribute("name", STRING))
        conditions = (Conjunct(f"pk = {key!r}", Comparison("pk", "=", key), True), *more)
        return pin_of(plan_read(Relation("r0", table, table.columns, conditions), consistent=False))

    filtered = Conjunct("card = 'x'", Comparison("card", "=", "x"), True)
    assert begun("a") == begun("a", filtered) != begun("b")
    assert begun("a").access == "Query"


def test_a_pinned_scan_scans_what_a_key_would_be_read_for() -> None:
    conditions = (Conjunct("pk = 'a'", Comparison("pk", "=", "a"), True),)
    relation = Relation("r0", TABLE, TABLE.columns, conditions)
    assert plan_read(relation, consistent=False).access == "GetItem"
    assert pinned_read(relation, Pin("Scan", None, ""), consistent=False).access == "Scan"
