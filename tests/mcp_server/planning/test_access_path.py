"""The way a relation is read follows from the conditions on keys, and never loses a row."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Index, KeyAttribute, Table, TypeKind
from mcp_server.planning.access_path import full_scan_of, plan_read
from mcp_server.planning.key_paths import UNKNOWN_PARTITIONS
from mcp_server.planning.plan import Read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse

S, N = AttributeType.STRING, AttributeType.NUMBER
VARCHAR, BIGINT, DATE = (ColumnType(kind) for kind in (TypeKind.VARCHAR, TypeKind.BIGINT, TypeKind.DATE))

BY_CUSTOMER = Index("by_customer", "GSI", (KeyAttribute("customer", N),), (KeyAttribute("placed", S),), None)
BY_STATUS = Index("by_status", "GSI", (KeyAttribute("status", S),), (), frozenset({"total"}))
BY_PLACED = Index("by_placed", "LSI", (KeyAttribute("pk", S),), (KeyAttribute("placed", S),), None)
BY_MANY = Index(
    "by_many", "GSI", (KeyAttribute("a", S), KeyAttribute("b", N)), (KeyAttribute("c", S), KeyAttribute("d", N)), None
)
ORDERS = Table(
    schema="demo",
    name="orders",
    physical_name="orders",
    hash_key=KeyAttribute("pk", S),
    range_key=KeyAttribute("sk", N),
    indexes=(BY_CUSTOMER, BY_STATUS, BY_PLACED, BY_MANY),
    columns=(
        Column("pk", VARCHAR, frozenset({S}), nullable=False),
        Column("sk", BIGINT, frozenset({N}), nullable=False),
        Column("customer", BIGINT, frozenset({N})),
        Column("placed", DATE, frozenset({S})),
        Column("status", VARCHAR, frozenset({S})),
        Column("total", BIGINT, frozenset({N})),
        Column("note", VARCHAR, frozenset({S})),
        Column("a", VARCHAR, frozenset({S})),
        Column("b", BIGINT, frozenset({N})),
        Column("c", VARCHAR, frozenset({S})),
        Column("d", BIGINT, frozenset({N})),
    ),
    item_count=10_000,
    size_bytes=4_000_000,
    refreshed_at=0,
)


def _read(condition: str, *, columns: str = "pk", table: Table = ORDERS, consistent: bool = False) -> Read:
    statement = parse(f"SELECT {columns} FROM orders WHERE {condition}", None)
    (relation,) = bind(statement, "demo", dict.fromkeys(statement.tables, table)).relations
    return plan_read(relation, consistent=consistent)


def _resolved(read: Read, name: str) -> list[str]:
    """The expression of that name in every request, with names and values in place of their placeholders."""
    found = []
    for request in read.requests:
        text: str = request.arguments.get(name, "")
        for placeholder, attribute in request.arguments.get("ExpressionAttributeNames", {}).items():
            text = text.replace(placeholder, attribute)
        for placeholder, value in request.arguments.get("ExpressionAttributeValues", {}).items():
            text = text.replace(placeholder, str(next(iter(value.values()))))
        found.append(text)
    return found


def _keys(read: Read) -> list[dict[str, Any]]:
    return [key for request in read.requests for key in request.arguments["Keys"]]


class TestGetItem:
    def test_a_full_key_is_fetched(self) -> None:
        read = _read("pk = 'a' AND sk = 1", columns="total")

        assert read.access == "GetItem"
        assert [request.operation for request in read.requests] == ["BatchGetItem"]
        assert read.requests[0].arguments["Keys"] == [{"pk": {"S": "a"}, "sk": {"N": "1"}}]
        assert read.key_condition == "pk = 'a' AND sk = 1"

    def test_lists_of_keys_are_fetched_a_hundred_at_a_time_and_once(self) -> None:
        read = _read(f"pk IN ('a', 'b', 'a') AND sk IN ({', '.join(str(n) for n in range(120))}, 1.0)")

        keys = _keys(read)
        assert read.access == "GetItem"
        assert [len(request.arguments["Keys"]) for request in read.requests] == [100, 100, 40]
        assert len({str(key) for key in keys}) == len(keys) == 240

    def test_alternatives_of_one_key_are_a_list(self) -> None:
        assert len(_keys(_read("(pk = 'a' OR pk = 'b') AND sk = 1"))) == 2

    def test_bounds_thin_out_a_list(self) -> None:
        assert [key["sk"]["N"] for key in _keys(_read("pk = 'a' AND sk IN (1, 2, 3) AND sk > 1 AND sk <> 9"))] == [
            "2",
            "3",
        ]

    def test_too_many_keys_are_not_fetched_one_by_one(self) -> None:
        numbers = ", ".join(str(number) for number in range(1_001))

        assert _read(f"pk = 'a' AND sk IN ({numbers})").access == "Query"


class TestNothing:
    @pytest.mark.parametrize(
        "condition",
        ["pk = 'a' AND pk = 'b'", "pk = ''", "pk = 'a' AND sk > 5 AND sk < 5", "pk = 'a' AND sk BETWEEN 5 AND 4",
         "pk IN ('a') AND pk IN ('b')", "pk = 'a' AND sk > 5 AND sk <= 5", "sk = 1 AND sk = 2"],
    )  # fmt: skip
    def test_contradictory_keys_read_nothing(self, condition: str) -> None:
        read = _read(condition)

        assert (read.access, read.requests, read.estimate.read_units) == ("None", (), 0)


class TestQuery:
    @pytest.mark.complaint(7)
    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("sk > 5", "pk = a AND sk > 5"),
            ("sk >= 5", "pk = a AND sk >= 5"),
            ("5 > sk", "pk = a AND sk < 5"),
            ("sk <= 5.5", "pk = a AND sk <= 5.5"),
            ("sk BETWEEN 1 AND 5", "pk = a AND sk BETWEEN 1 AND 5"),
            ("sk > 1 AND sk < 5 AND sk >= 0", "pk = a AND sk BETWEEN 1 AND 5"),
            ("sk <> 5", "pk = a"),
            ("sk = 5 OR total = 1", "pk = a"),
            ("sk > 1e0", "pk = a"),
            ("sk = '5' OR sk = 'x'", "pk = a"),
        ],
    )
    def test_one_condition_on_the_sort_key(self, condition: str, expected: str) -> None:
        read = _read(f"pk = 'a' AND ({condition})")

        assert read.access == "Query"
        assert read.index is None
        assert _resolved(read, "KeyConditionExpression") == [expected]

    def test_one_query_per_partition(self) -> None:
        read = _read("pk IN ('a', 'b')")

        assert _resolved(read, "KeyConditionExpression") == ["pk = a", "pk = b"]

    def test_many_partitions_are_scanned(self) -> None:
        assert _read(f"pk IN ({', '.join(repr(str(number)) for number in range(101))})").access == "Scan"

    def test_a_prefix_is_a_condition_on_a_sort_key_of_strings(self) -> None:
        table = replace(ORDERS, range_key=KeyAttribute("note", S), indexes=())
        read = _read("pk = 'a' AND note LIKE 'x%y'", table=table)

        assert _resolved(read, "KeyConditionExpression") == ["pk = a AND begins_with(note, x)"]

    def test_key_attributes_stay_out_of_the_filter(self) -> None:
        """API reference, Query: a filter expression cannot contain key attributes."""
        read = _read("pk = 'a' AND sk <> 5 AND total = 7")

        (filtered,) = _resolved(read, "FilterExpression")
        assert "sk" not in filtered
        assert "total = 7" in filtered
        assert read.residual_filters == ("sk <> 5",)

    def test_a_number_is_no_text(self) -> None:
        """DuckDB converts the column: '05' = 5 is true, so a key look-up would miss rows."""
        assert _read("pk = 5").access == "Scan"


class TestIndexes:
    def test_an_index_whose_keys_must_be_there(self) -> None:
        read = _read("customer = 7 AND placed >= DATE '2024-01-01'", columns="note")

        assert (read.access, read.index) == ("Query", "by_customer")
        assert _resolved(read, "KeyConditionExpression") == ["customer = 7 AND placed >= 2024-01-01"]
        assert read.requests[0].arguments["IndexName"] == "by_customer"

    @pytest.mark.parametrize(
        "condition", ["placed IS NOT NULL", "placed <> DATE '2024-01-01'", "placed > DATE '2024-01-01'"]
    )
    def test_any_condition_that_rejects_null_will_do(self, condition: str) -> None:
        assert _read(f"customer = 7 AND {condition}").index == "by_customer"

    @pytest.mark.complaint(3)
    @pytest.mark.parametrize(
        "condition",
        ["total = 1", "placed IS NULL", "(placed > DATE '2024-01-01' OR placed IS NULL)", "lower(note) = 'x'"],
    )
    def test_a_sparse_index_is_not_used(self, condition: str) -> None:
        """Items without `placed` are not in the index, and the query may want them."""
        assert _read(f"customer = 7 AND {condition}").index is None

    def test_a_key_declared_not_null_will_do(self) -> None:
        columns = tuple(replace(one, nullable=False) if one.name == "placed" else one for one in ORDERS.columns)

        assert _read("customer = 7", table=replace(ORDERS, columns=columns)).index == "by_customer"

    @pytest.mark.complaint(4)
    def test_an_index_must_hold_every_column_needed(self) -> None:
        assert _read("status = 'open'", columns="pk, sk, total").index == "by_status"
        assert _read("status = 'open'", columns="note").index is None
        assert _read("status = 'open'", columns="_doc").index is None

    def test_an_index_of_everything_serves_documents(self) -> None:
        read = _read("customer = 7 AND placed IS NOT NULL", columns="_doc")

        assert read.index == "by_customer"
        assert "ProjectionExpression" not in read.requests[0].arguments

    def test_consistent_reads_use_no_global_index(self) -> None:
        assert _read("customer = 7 AND placed IS NOT NULL", consistent=True).index is None
        local = _read("pk = 'a' AND placed = DATE '2024-01-01'", consistent=True)
        assert local.index == "by_placed"
        assert local.requests[0].arguments["ConsistentRead"] is True

    def test_an_index_that_is_being_built_is_not_used(self) -> None:
        table = replace(ORDERS, indexes=(replace(BY_CUSTOMER, active=False),))

        assert _read("customer = 7 AND placed IS NOT NULL", table=table).index is None

    @pytest.mark.complaint(3)
    def test_an_attribute_of_several_types_is_not_all_in_the_index(self) -> None:
        columns = tuple(
            replace(one, attribute_types=frozenset({S, N}), type=VARCHAR) if one.name == "status" else one
            for one in ORDERS.columns
        )

        assert _read("status = 'open'", columns="total", table=replace(ORDERS, columns=columns)).index is None

    def test_keys_of_several_attributes(self) -> None:
        read = _read("a = 'x' AND b IN (1, 2) AND c = 'y' AND d > 3", columns="note")

        assert read.index == "by_many"
        assert _resolved(read, "KeyConditionExpression") == [
            "a = x AND b = 1 AND c = y AND d > 3",
            "a = x AND b = 2 AND c = y AND d > 3",
        ]

    def test_sort_attributes_count_from_the_left(self) -> None:
        read = _read("a = 'x' AND b = 1 AND c > 'y' AND d = 3", columns="note")

        assert _resolved(read, "KeyConditionExpression") == ["a = x AND b = 1 AND c > y"]
        assert "FilterExpression" not in read.requests[0].arguments

    def test_every_partition_attribute_is_needed(self) -> None:
        assert _read("a = 'x' AND c = 'y' AND d = 1 AND b > 0").index is None


class TestScan:
    def test_only_the_columns_needed_are_asked_for(self) -> None:
        read = _read("total > 5", columns="note")

        assert read.access == "Scan"
        assert {part.strip() for part in _resolved(read, "ProjectionExpression")[0].split(",")} == {"note", "total"}
        assert read.pushed_filters == ("total > 5",)

    def test_counting_asks_for_keys(self) -> None:
        assert _resolved(_read("true", columns="count(*)"), "ProjectionExpression") == ["pk"]

    def test_what_cannot_be_pushed_is_left_to_duckdb(self) -> None:
        read = _read("lower(note) = 'x' AND note LIKE 'a%b' AND note LIKE 'c%'")

        assert read.pushed_filters == ("note LIKE 'a%b'", "note LIKE 'c%'")
        assert read.residual_filters == ("LOWER(note) = 'x'", "note LIKE 'a%b'")

    def test_filters_keep_within_dynamodbs_limits(self) -> None:
        many = " AND ".join(f"note <> '{number}'" for number in range(200))
        read = _read(
            f"total = 1 AND {many} AND total = 1 + 0 AND note IN ({', '.join(repr(str(n)) for n in range(101))})"
        )

        (expression,) = _resolved(read, "FilterExpression")
        raw = read.requests[0].arguments["FilterExpression"]
        assert len(raw.encode()) <= 4096
        assert "total = 1" in expression
        assert len(read.pushed_filters) + len(read.residual_filters) == 203
        assert set(read.requests[0].arguments["ExpressionAttributeValues"]) == set(_placeholders(raw))

    @pytest.mark.complaint(20)
    @pytest.mark.parametrize(
        ("items", "size", "segments", "asked"),
        [(0, 0, 1, False), (1_000, 0, 1, False), (60_000, 0, 6, False), (100_000, 30_000_000, 8, False),
         (100_001, 1_000, 1, True), (10, 65 * 1024 * 1024, 8, True)],
    )  # fmt: skip
    def test_segments_and_budget_follow_the_size(self, items: int, size: int, segments: int, asked: bool) -> None:
        read = _read("total > 5", table=replace(ORDERS, item_count=items, size_bytes=size))

        assert len(read.requests) == segments
        assert [request.arguments.get("Segment", 0) for request in read.requests] == list(range(segments))
        assert full_scan_of(read) is asked

    def test_a_query_is_no_full_scan(self) -> None:
        assert not full_scan_of(_read("pk = 'a'", table=replace(ORDERS, item_count=10**9)))

    @pytest.mark.complaint(10)
    def test_hostile_names_and_values_stay_in_placeholders(self) -> None:
        columns = (*ORDERS.columns, Column("x OR #n0 <> :v0", VARCHAR, frozenset({S})))
        read = _read("\"x OR #n0 <> :v0\" = ') OR (a'", table=replace(ORDERS, columns=columns))

        arguments = read.requests[0].arguments
        assert "x OR" not in arguments["FilterExpression"]
        assert "x OR #n0 <> :v0" in arguments["ExpressionAttributeNames"].values()
        assert {"S": ") OR (a"} in arguments["ExpressionAttributeValues"].values()


def _placeholders(expression: str) -> list[str]:
    return [word.strip("(),") for word in expression.replace("(", " ").split() if word.startswith(":")]


class TestNumbers:
    @pytest.mark.parametrize(
        ("literal", "value"),
        [
            ("1.50", "1.5"),
            ("100", "100"),
            ("-0.0", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("1000000", "1000000"),
        ],
    )
    def test_numbers_have_one_notation(self, literal: str, value: str) -> None:
        assert _keys(_read(f"pk = 'a' AND sk = {literal}"))[0]["sk"] == {"N": value}


class TestRejectedIndexes:
    def test_a_key_that_may_be_missing_is_named_with_both_remedies(self) -> None:
        read = _read("customer = 7")

        assert read.access == "Scan"
        assert [index.name for index in read.rejected] == ["by_customer"]
        assert "placed IS NOT NULL" in read.rejected[0].reason
        assert "not_null" in read.rejected[0].reason
        assert _read("customer = 7 AND placed IS NOT NULL").index == "by_customer"

    def test_a_declared_key_is_used(self) -> None:
        columns = tuple(replace(one, nullable=one.nullable and one.name != "placed") for one in ORDERS.columns)

        read = _read("customer = 7", table=replace(ORDERS, columns=columns))

        assert (read.index, read.rejected) == ("by_customer", ())

    def test_columns_that_an_index_lacks_are_named(self) -> None:
        read = _read("status = 'open'", columns="total, note")

        assert read.access == "Scan"
        assert [(index.name, index.reason) for index in read.rejected] == [
            ("by_status", f"it does not hold note, and {UNKNOWN_PARTITIONS}")
        ]

    def test_consistent_reads_say_which_index_they_give_up(self) -> None:
        read = _read("customer = 7 AND placed IS NOT NULL", consistent=True)

        assert read.access == "Scan"
        assert [index.name for index in read.rejected] == ["by_customer"]
        assert "consistent_read" in read.rejected[0].reason

    def test_values_of_another_type_are_named(self) -> None:
        columns = tuple(
            replace(one, attribute_types=frozenset({S, N})) if one.name == "status" else one for one in ORDERS.columns
        )

        [rejected] = _read("status = 'open'", columns="total", table=replace(ORDERS, columns=columns)).rejected

        assert "another type than S" in rejected.reason

    def test_an_index_that_is_being_built_is_named(self) -> None:
        building = replace(ORDERS, indexes=(replace(BY_STATUS, active=False),))

        [rejected] = _read("status = 'open'", columns="total", table=building).rejected

        assert "being built" in rejected.reason

    @pytest.mark.parametrize("condition", ["pk = 'a' AND customer = 7", "note = 'x'", "pk = 'a' AND sk = 1"])
    def test_nothing_is_said_of_indexes_that_would_not_help(self, condition: str) -> None:
        assert _read(condition).rejected == ()


MANY_KEYS = ", ".join(f"'k{n}'" for n in range(90))


@pytest.mark.parametrize(
    ("items", "condition", "access"),
    [
        (8, f"pk IN ({MANY_KEYS}) AND sk = 1", "Scan"),
        (8, f"pk IN ({MANY_KEYS})", "Scan"),
        (8, "pk = 'a' AND sk = 1", "GetItem"),
        (8, "pk = 'a'", "Query"),
        (99, f"pk IN ({MANY_KEYS})", "Scan"),
        (100, f"pk IN ({MANY_KEYS})", "Query"),
        (0, "pk = 'a' AND pk = 'b'", "None"),
    ],
)
def test_a_tiny_table_is_scanned_where_that_costs_less(items: int, condition: str, access: str) -> None:
    """One that is small by DescribeTable's word alone is not: its figures are hours old."""
    read = _read(condition, table=replace(ORDERS, item_count=items, size_bytes=items * 400))
    assert read.access == access


class TestQueryEstimates:
    def test_what_the_sample_knows_of_partitions_is_used(self) -> None:
        known = replace(ORDERS, partition_items=4.2)

        assert _read("pk = 'a'", table=known).estimate.items == 5
        assert _read("pk IN ('a', 'b')", table=known).estimate.items == 10
        assert _read("pk = 'a'").estimate.items == 100

    def test_an_index_has_partitions_of_its_own(self) -> None:
        indexes = (replace(BY_CUSTOMER, partition_items=30.0),)
        table = replace(ORDERS, partition_items=4.2, indexes=indexes)

        assert _read("customer = 7 AND placed IS NOT NULL", table=table).estimate.items == 30


class TestTermsOfKeys:
    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("left(note, 2) = 'ab'", "pk = a AND begins_with(note, ab)"),
            ("substring(note, 1, 2) = 'ab'", "pk = a AND begins_with(note, ab)"),
            ("'ab' = substr(note, 1, 2)", "pk = a AND begins_with(note, ab)"),
            ("left(note, 2) BETWEEN 'ab' AND 'cd'", "pk = a AND BETWEEN"),
            ("note LIKE concat('U#', '1', '%')", "pk = a AND begins_with(note, U#1)"),
            ("note > 'U' || '#'", "pk = a AND note > U#"),
        ],
    )
    def test_beginnings_of_a_sort_key(self, condition: str, expected: str) -> None:
        table = replace(ORDERS, range_key=KeyAttribute("note", S), indexes=())
        (said,) = _resolved(_read(f"pk = 'a' AND {condition}", table=table), "KeyConditionExpression")

        assert said.replace("note BETWEEN ab AND ce", "BETWEEN") == expected

    @pytest.mark.complaint(8)
    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("year(placed) = 2024", "placed BETWEEN 2024-01-01 AND 2024-12-31"),
            ("2024 = extract(year FROM placed)", "placed BETWEEN 2024-01-01 AND 2024-12-31"),
            ("date_part('year', placed) >= 2024", "placed >= 2024-01-01"),
            ("year(placed) > 2024", "placed >= 2025-01-01"),
            ("date_trunc('month', placed) = DATE '2024-02-01'", "placed BETWEEN 2024-02-01 AND 2024-02-29"),
            ("date_trunc('quarter', placed)::DATE = '2024-10-01'", "placed BETWEEN 2024-10-01 AND 2024-12-31"),
            ("date_trunc('week', placed) < TIMESTAMP '2024-02-26 00:00:00'", "placed < 2024-02-26"),
            ("date_trunc('month', placed) < TIMESTAMP '2024-02-01 00:00:01'", "placed < 2024-03-01"),
            ("year(placed) BETWEEN 2023 AND 2024", "placed BETWEEN 2023-01-01 AND 2025-01-01"),
        ],
    )
    def test_periods_of_a_date(self, condition: str, expected: str) -> None:
        read = _read(f"customer = 7 AND {condition}", columns="note")

        assert _resolved(read, "KeyConditionExpression") == [f"customer = 7 AND {expected}"]

    @pytest.mark.parametrize("condition", ["year(placed) <> 2024", "left(a, 1) <> 'x'", "month(placed) = 3"])
    def test_what_is_no_range_narrows_no_key(self, condition: str) -> None:
        assert "BETWEEN" not in _resolved(_read(f"pk = 'a' AND {condition}"), "KeyConditionExpression")[0]

    @pytest.mark.complaint(19)
    def test_a_number_may_be_written_as_text(self) -> None:
        assert _keys(_read("pk = 'a' AND sk IN ('3', 4)")) == [
            {"pk": {"S": "a"}, "sk": {"N": "3"}},
            {"pk": {"S": "a"}, "sk": {"N": "4"}},
        ]

    @pytest.mark.parametrize("text", ["'3.5'", "'03'", "' 3'", "'-0'", "'3' || ''", "'x'"])
    def test_no_other_text_is_a_number(self, text: str) -> None:
        assert _read(f"pk = 'a' AND sk = {text}").access == "Query"


class TestAlternatives:
    @pytest.mark.parametrize(
        "condition",
        ["(pk, sk) IN (('a', 1), ('b', 2))", "(sk, pk) IN ((1, 'a'), (2, 'b'), (1, 'a'))",
         "(pk = 'a' AND sk = 1) OR (pk = 'b' AND sk = 2)", "(pk, sk) = ('a', 1) OR (pk = 'b' AND sk = '2')",
         "pk = 'a' AND sk = 1 OR pk = 'b' AND sk = 2 AND total > 3 OR pk = 'c' AND pk = 'd'"],
    )  # fmt: skip
    def test_each_names_a_key(self, condition: str) -> None:
        read = _read(condition)

        assert read.access == "GetItem"
        assert _keys(read) == [{"pk": {"S": "a"}, "sk": {"N": "1"}}, {"pk": {"S": "b"}, "sk": {"N": "2"}}]

    def test_each_names_a_partition(self) -> None:
        read = _read("(pk = 'a' AND sk > 5) OR (pk = 'b' AND sk < 3)")

        assert _resolved(read, "KeyConditionExpression") == ["pk = a AND sk > 5", "pk = b AND sk < 3"]

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ("(pk = 'a' AND sk > 5) OR (pk = 'a' AND sk < 8)", ["pk = a"]),
            ("(pk = 'a' AND sk > 5) OR (pk = 'a' AND sk = 8)", ["pk = a"]),
            ("pk = 'a' AND (sk > 5 OR sk < 3)", ["pk = a"]),
            ("(pk = 'a' AND sk > 5) OR (pk = 'a' AND sk > 5 AND total = 1)", ["pk = a AND sk > 5"]),
        ],
    )
    def test_no_item_is_read_twice(self, condition: str, expected: list[str]) -> None:
        assert _resolved(_read(condition), "KeyConditionExpression") == expected

    def test_each_names_a_partition_of_an_index(self) -> None:
        read = _read("(customer = 7 AND placed > DATE '2024-01-01') OR (customer = 8 AND placed IS NOT NULL)")

        assert read.index == "by_customer"
        assert _resolved(read, "KeyConditionExpression") == ["customer = 7 AND placed > 2024-01-01", "customer = 8"]

    @pytest.mark.parametrize(
        "condition",
        ["(pk = 'a' AND sk = 1) OR total = 2", "(pk, sk) IN (('a', 1), (NULL, 2))",
         "(pk, sk) IN (('a', 1), ('b', 2e0))", "(pk, sk) NOT IN (('a', 1), ('b', 2))", "(pk, sk) <> ('a', 1)"],
    )  # fmt: skip
    def test_one_that_names_no_key_lets_every_item_in(self, condition: str) -> None:
        assert _read(condition).access == "Scan"

    @pytest.mark.parametrize(
        "condition", ["false", "1 = 0", "total = 1 AND 2 > 3", "NULL", "total = NULL", "false OR note = NULL"]
    )
    def test_a_condition_that_is_never_true_reads_nothing(self, condition: str) -> None:
        assert _read(condition).access == "None"

    def test_only_the_side_of_a_join_that_a_condition_empties_is_not_read(self) -> None:
        statement = parse("SELECT x.pk FROM orders x LEFT JOIN orders y ON x.pk = y.pk AND 1 = 2", None)
        query = bind(statement, "demo", dict.fromkeys(statement.tables, ORDERS))

        assert [read.access for read in query.reads(consistent=False)] == ["Scan", "None"]


def _read_of(sql: str, table: Table = ORDERS) -> Read:
    [read] = _reads_of(sql, table)
    return read


def _reads_of(sql: str, table: Table = ORDERS) -> tuple[Read, ...]:
    statement = parse(sql, None)
    return bind(statement, "demo", dict.fromkeys(statement.tables, table)).reads(consistent=False)


class TestGoals:
    @pytest.mark.parametrize(
        ("sql", "enough"),
        [
            ("SELECT * FROM orders LIMIT 10", 10),
            ("SELECT pk, total + 1 FROM orders LIMIT 10 OFFSET 5", 15),
            ("SELECT * FROM (SELECT * FROM orders) LIMIT 1", 1),
            ("SELECT * FROM orders WHERE pk = 'a' LIMIT 3", 3),
            ("SELECT * FROM orders WHERE pk = 'a' AND sk BETWEEN 1 AND 5 ORDER BY sk DESC LIMIT 3", 3),
            ("SELECT max(sk) FROM orders WHERE pk = 'a'", 1),
            ("SELECT max(placed) FROM orders WHERE customer = 7 AND placed IS NOT NULL", 1),
            ("SELECT min(placed) FROM orders WHERE customer = 7", 1),
            ("SELECT note FROM orders WHERE a = 'x' AND b = 1 AND c = 'y' AND d > 3 ORDER BY d LIMIT 1", 1),
        ],
    )
    def test_few_rows_are_enough(self, sql: str, enough: int) -> None:
        read = _read_of(sql)

        assert read.enough == enough
        assert read.estimate.items <= enough
        assert [request.arguments["Limit"] for request in read.requests] == [enough]
        assert read.requests[0].arguments.get("ScanIndexForward", True) is not ("DESC" in sql or "max" in sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT DISTINCT pk FROM orders LIMIT 10",
            "SELECT pk FROM orders GROUP BY pk LIMIT 10",
            "SELECT count(*) FROM orders LIMIT 1",
            "SELECT row_number() OVER () FROM orders LIMIT 1",
            "SELECT unnest(string_split(note, ',')) FROM orders LIMIT 10",
            "SELECT note FROM orders ORDER BY note LIMIT 1",
            "SELECT sk FROM orders ORDER BY sk LIMIT 1",
            "SELECT max(sk), min(total) FROM orders WHERE pk = 'a'",
            "SELECT max(sk) FROM orders WHERE pk = 'a' AND total > 3",
            "SELECT max(sk) FROM orders WHERE pk = 'a' AND sk > 1 AND sk < 9",
            "SELECT max(sk) FROM orders WHERE pk = 'a' AND sk IN (SELECT 1)",
            "SELECT max(sk) FROM orders WHERE pk = 'a' AND sk <> 3",
            "SELECT max(sk) FROM orders WHERE pk = 'a' AND random() > 0",
            "SELECT max(sk, 2) FROM orders WHERE pk = 'a'",
            "SELECT max(sk) FILTER (sk < 3) FROM orders WHERE pk = 'a'",
            "SELECT max(sk) FROM orders WHERE pk IN ('a', 'b')",
            "SELECT max(total) FROM orders WHERE pk = 'a'",
            "SELECT pk FROM orders WHERE total = 3 LIMIT 1",
            "SELECT pk FROM orders LIMIT 10%",
            "SELECT * FROM orders WHERE pk = 'a' ORDER BY sk, note LIMIT 1",
            "SELECT * FROM (SELECT * FROM orders LIMIT 5) LIMIT 1",
            "SELECT * FROM orders USING SAMPLE 3 LIMIT 1",
        ],
    )
    def test_every_row_may_count(self, sql: str) -> None:
        try:
            read = _read_of(sql)
        except Failure:
            return  # refused: nothing is read
        assert read.enough is None
        assert "ScanIndexForward" not in read.requests[0].arguments

    def test_rows_without_the_column_do_not_count_for_its_largest_value(self) -> None:
        read = _read_of("SELECT max(placed) FROM orders WHERE customer = 7")

        assert (read.index, read.residual_filters) == ("by_customer", ())  # the index holds no others
        assert _read_of("SELECT count(placed) FROM orders WHERE customer = 7").index == "by_customer"
        assert _read_of("SELECT count(*) FROM orders WHERE customer = 7").index is None
        assert _read_of("SELECT max(placed) FROM orders WHERE customer = 7 AND note IS NULL").enough is None

    def test_a_sort_key_that_is_declared_another_type_has_another_order(self) -> None:
        columns = tuple(replace(one, type=VARCHAR) if one.name == "sk" else one for one in ORDERS.columns)

        assert _read_of("SELECT max(sk) FROM orders WHERE pk = 'a'", replace(ORDERS, columns=columns)).enough is None

    def test_a_limit_is_no_full_scan(self) -> None:
        huge = replace(ORDERS, item_count=10**9, size_bytes=10**12)

        assert not full_scan_of(_read_of("SELECT * FROM orders LIMIT 10", huge))
        assert full_scan_of(_read_of("SELECT * FROM orders WHERE total = 1 LIMIT 10", huge))

    def test_a_scan_for_few_rows_that_meet_conditions_begins_with_a_small_page(self) -> None:
        small = replace(ORDERS, item_count=1000, size_bytes=100_000)
        read = _read_of("SELECT * FROM orders WHERE total = 1 LIMIT 10", small)

        assert (read.enough, read.requests[0].arguments["Limit"]) == (None, 100)

    @pytest.mark.parametrize("condition", ["total = 1 LIMIT 10", "total = 1 LIMIT 1"])
    def test_so_do_all_segments_of_a_large_table(self, condition: str) -> None:
        """Otherwise each of them would read a megabyte for the first row."""
        large = replace(ORDERS, item_count=100_000, size_bytes=40_000_000)
        read = _read_of(f"SELECT * FROM orders WHERE {condition}", large)

        assert len(read.requests) > 1
        assert [request.arguments["Limit"] for request in read.requests] == [100] * len(read.requests)

    def test_exists_wants_one_row(self) -> None:
        for sql in (
            "SELECT EXISTS (SELECT 1 FROM orders WHERE total = 1)",
            "SELECT 1 AS one WHERE NOT EXISTS (SELECT * FROM orders WHERE total = 1)",
        ):
            [read] = _reads_of(sql)
            assert {request.arguments["Limit"] for request in read.requests} == {100}
        assert _reads_of("SELECT EXISTS (SELECT customer FROM orders)")[0].enough == 1
        for sql in (
            "SELECT EXISTS (SELECT count(*) FROM orders WHERE total = 1)",
            "SELECT o.total, EXISTS (SELECT 1 FROM orders i WHERE i.total = o.total) FROM orders o",
            "SELECT EXISTS (SELECT 1 FROM orders WHERE total = 1 GROUP BY customer)",
        ):
            assert all("Limit" not in request.arguments for read in _reads_of(sql) for request in read.requests)


MORE, AS_MANY = "it takes more read units", "it takes as many read units, and names less of a key"
UNORDERED = "it takes as many read units, and the items come in another order"
WHOLE, UNKNOWN = (
    "it reads the whole table, whose size statistics tell hours late",
    "how large its partitions are is not known",
)


class TestOtherWays:
    """Each way to the rows has an estimate, and a reason why it is not taken."""

    TABLE = replace(
        ORDERS,
        partition_items=40.0,
        indexes=(
            replace(BY_CUSTOMER, partition_items=100.0),
            replace(BY_STATUS, partition_items=2_000.0),
            replace(BY_PLACED, partition_items=40.0),
        ),
    )

    @pytest.mark.parametrize(
        ("condition", "columns", "taken", "others"),
        [
            ("pk = 'a' AND sk IN (1, 2, 3)", "*", "GetItem", {("Query", None): AS_MANY, ("Scan", None): MORE}),
            (
                "pk = 'a' AND placed > DATE '2024-01-01' AND customer = 7",
                "*",
                "Query by_placed",
                {("Query", None): MORE, ("Query", "by_customer"): MORE, ("Scan", None): MORE},
            ),
            ("customer = 7 AND placed IS NOT NULL", "*", "Query by_customer", {("Scan", None): MORE}),
            ("status = 'open'", "note", "Scan", {("Query", "by_status"): MORE}),
            ("status = 'open'", "pk, sk, total", "Query by_status", {("Scan", None): MORE}),
            ("total > 5", "note", "Scan", {}),
        ],
    )
    def test_of_a_known_table(
        self, condition: str, columns: str, taken: str, others: dict[tuple[str, str | None], str]
    ) -> None:
        read = _read(condition, columns=columns, table=self.TABLE)

        assert " ".join(filter(None, (read.access, read.index))) == taken
        assert {(one.access, one.index): one.reason for one in read.alternatives} == others
        estimates = [read.estimate, *(one.estimate for one in read.alternatives)]
        assert all(one.items > 0 and one.read_units > 0 and one.seconds > 0 for one in estimates)
        assert min(one.read_units for one in estimates) == read.estimate.read_units

    @pytest.mark.parametrize(
        "condition",
        ["pk = 'a' OR pk = 'b'", "pk IN ('a', 'b') OR pk = 'c'", "(pk, sk) IN (('a', 1), ('b', 2))"],
    )
    def test_the_way_that_is_taken_is_not_one_of_the_others(self, condition: str) -> None:
        """Keys that a disjunction names are found twice: as its whole, and by its parts."""
        read = _read(condition, table=self.TABLE)

        ways = [(one.access, one.index) for one in read.alternatives]
        assert (read.access, read.index) not in ways
        assert len(set(ways)) == len(ways) > 0

    @pytest.mark.parametrize(
        ("order", "index", "other"),
        [("", None, AS_MANY), (" ORDER BY sk", None, UNORDERED), (" ORDER BY placed DESC", "by_placed", UNORDERED),
         (" ORDER BY total", None, AS_MANY), (" ORDER BY placed + INTERVAL 1 DAY", None, AS_MANY)],
    )  # fmt: skip
    def test_of_equal_ones_that_is_taken_whose_items_come_in_the_order_of_pages(
        self, order: str, index: str | None, other: str
    ) -> None:
        """A page of them is read as far as it needs; all of the others are read to be sorted."""
        declared = tuple(replace(one, nullable=one.nullable and one.name != "placed") for one in ORDERS.columns)
        read = _read_of(f"SELECT * FROM orders WHERE pk = 'a'{order}", replace(self.TABLE, columns=declared))

        assert (read.access, read.index) == ("Query", index)
        assert {one.index: one.reason for one in read.alternatives if one.access == "Query"} == {
            "by_placed" if index is None else None: other
        }

    def test_what_is_certain_comes_before_what_is_not(self) -> None:
        """150 keys take 75 read units; what a partition, and a table that statistics call small, take is not known."""
        condition = f"pk = 'a' AND sk IN ({', '.join(map(str, range(150)))})"
        small = replace(ORDERS, size_bytes=60_000, item_count=150)

        for table, of_scan in ((ORDERS, MORE), (small, WHOLE)):
            read = _read(condition, table=table)
            assert read.access == "GetItem"
            assert {one.access: one.reason for one in read.alternatives} == {"Query": UNKNOWN, "Scan": of_scan}


class TestLookups:
    TABLE = replace(ORDERS, indexes=(replace(BY_STATUS, partition_items=20.0),))

    @pytest.mark.complaint(4)
    def test_an_index_names_the_items_that_are_fetched_by_key(self) -> None:
        read = _read("status = 'open' AND total > 5 AND note = 'x'", columns="customer", table=self.TABLE)

        assert (read.access, read.index, read.rejected, read.enough) == ("Query", "by_status", (), None)
        assert _resolved(read, "ProjectionExpression") == ["pk, sk"]
        assert "note" not in _resolved(read, "FilterExpression")[0]
        assert read.pushed_filters == ("total > 5",)
        assert read.residual_filters == ("note = 'x'",)
        assert read.lookup is not None
        assert set(read.lookup["ExpressionAttributeNames"].values()) == {"customer", "status", "total", "note"}
        assert (read.estimate.items, read.estimate.read_units) == (20, 11.0)

    def test_the_whole_item_is_fetched_where_the_document_is_wanted(self) -> None:
        read = _read("status = 'open'", columns="_doc", table=self.TABLE)

        assert (read.index, read.lookup) == ("by_status", {})

    def test_a_limit_stops_no_lookup(self) -> None:
        assert _read_of("SELECT note FROM orders WHERE status = 'open' LIMIT 1", self.TABLE).enough is None

    @pytest.mark.parametrize("partition_items", [None, 2_000.0])
    def test_what_may_take_more_than_a_scan_is_not_looked_up(self, partition_items: float | None) -> None:
        table = replace(ORDERS, indexes=(replace(BY_STATUS, partition_items=partition_items),))

        assert _read("status = 'open'", columns="note", table=table).access == "Scan"

    @pytest.mark.parametrize(("partition_items", "access"), [(200_000.0, "Query"), (600_000.0, "Scan")])
    def test_it_may_take_more_than_a_scan_that_has_to_be_asked_for(self, partition_items: float, access: str) -> None:
        """Else a statement that read by key yesterday would be refused once a partition was found to be large."""
        index = replace(BY_STATUS, partition_items=partition_items)
        large = replace(ORDERS, indexes=(index,), item_count=1_000_000, size_bytes=400_000_000)

        assert _read("status = 'open'", columns="note", table=large).access == access

    @pytest.mark.parametrize(("partition_items", "access"), [(200_000.0, "Scan"), (40_000.0, "Query")])
    def test_a_scan_that_is_allowed_is_weighed_like_any_other_way(self, partition_items: float, access: str) -> None:
        """Our choice: who allowed a scan wants what takes less."""
        index = replace(BY_STATUS, partition_items=partition_items)
        large = replace(ORDERS, indexes=(index,), item_count=1_000_000, size_bytes=400_000_000)
        statement = parse("SELECT note FROM orders WHERE status = 'open'", None)
        query = bind(statement, "demo", dict.fromkeys(statement.tables, large))

        [unasked] = query.reads(consistent=False)
        [asked] = query.reads(consistent=False, allow_full_scan=True)

        assert (unasked.access, asked.access) == ("Query", access)
        assert asked.estimate.read_units <= unasked.estimate.read_units

    def test_keys_that_may_be_missing_forbid_it(self) -> None:
        index = replace(BY_CUSTOMER, projected=frozenset[str](), partition_items=20.0)
        table = replace(ORDERS, indexes=(index,))

        assert _read("customer = 7", columns="note", table=table).access == "Scan"
        assert _read("customer = 7 AND placed IS NOT NULL", columns="note", table=table).lookup is not None
