"""Pages of items become Arrow batches, or widen the catalogue."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.adapters.decoding import item_decoding
from mcp_server.adapters.decoding.item_decoding import FEW, MalformedPage, PageDecoder, arrow_schema
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import LackingThoughDeclared, NotTheDeclaredType
from mcp_server.domain.schema import DOCUMENT, AttributeType, Column, ColumnType, Override, TypeKind
from mcp_server.ports.items import SchemaConflict
from tests.mcp_server.adapters.relations import N, S, column, of, page, relation, table

TEXT = column("a", of(TypeKind.VARCHAR), S)
INTEGER = column("a", of(TypeKind.BIGINT), N)
MONEY = column("a", of(TypeKind.DECIMAL, 2), N)
DOUBLE = column("a", of(TypeKind.DOUBLE), N)
DATE = column("a", of(TypeKind.DATE), S)
FLAG = column("a", of(TypeKind.BOOLEAN), AttributeType.BOOLEAN)
BLOB = column("a", of(TypeKind.BLOB), AttributeType.BINARY)
JSON = column("a", of(TypeKind.JSON), AttributeType.MAP)
TAGS = column("a", of(TypeKind.LIST, element=of(TypeKind.VARCHAR)), AttributeType.STRING_SET)
RATINGS = column("a", of(TypeKind.LIST, element=of(TypeKind.DECIMAL, 1)), AttributeType.NUMBER_SET)
PRINTS = column("a", of(TypeKind.LIST, element=of(TypeKind.BLOB)), AttributeType.BINARY_SET)
MIXED = column("a", of(TypeKind.VARCHAR), S, N, AttributeType.BOOLEAN, AttributeType.LIST)


def decode(one: Column, *values: Any, overrides: dict[str, Override] | None = None) -> list[Any]:
    """The column's values; a value of None stands for an item without the attribute.

    A page of many items is read in another way than one of few, with the same result.
    """
    items = [{"pk": {"S": "k"}} | ({} if value is None else {"a": value}) for value in values]
    times = item_decoding.FEW // len(items) + 1
    few, many = (_outcome(one, made, overrides or {}) for made in (items, items * times))
    if isinstance(few, Exception):
        assert (type(many), str(many), getattr(many, "args", None)) == (type(few), str(few), few.args)
        raise few
    assert many == few * times
    return few


def _outcome(one: Column, items: list[Any], overrides: dict[str, Override]) -> list[Any] | Exception:
    try:
        batch = PageDecoder(relation([one]), overrides).decode(page(*items), len(items))
    except (SchemaConflict, Failure) as error:
        return error
    assert batch.schema == arrow_schema(relation([one]))
    batch.validate(full=True)
    return list(batch.column(0).to_pylist())


@pytest.mark.complaint(9)
@pytest.mark.parametrize(
    ("one", "values", "expected"),
    [
        (TEXT, [{"S": "ü\x00"}, None, {"NULL": True}, {"S": ""}], ["ü\x00", None, None, ""]),
        (INTEGER, [{"N": "-5"}, {"N": "9223372036854775807"}, {"N": "1E+2"}], [-5, 9223372036854775807, 100]),
        (MONEY, [{"N": "1.5"}, {"N": "2"}, {"N": "-0.05"}], [Decimal("1.50"), Decimal("2.00"), Decimal("-0.05")]),
        (DOUBLE, [{"N": "1E125"}, {"N": "1E-130"}, {"N": "0.1"}], [1e125, 1e-130, 0.1]),
        (DATE, [{"S": "2024-02-29"}, {"NULL": True}], [datetime.date(2024, 2, 29), None]),
        (FLAG, [{"BOOL": True}, {"BOOL": False}, None], [True, False, None]),
        (BLOB, [{"B": "AAEC"}, {"B": ""}, None], [b"\x00\x01\x02", b"", None]),
        (JSON, [{"M": {"b": {"N": "1.10"}, "a": {"S": "x"}}}, None], ['{"a":"x","b":1.10}', None]),
        (TAGS, [{"SS": ["z", "a"]}, {"NULL": True}], [["a", "z"], None]),
        (RATINGS, [{"NS": ["10", "9.5"]}], [[Decimal("9.5"), Decimal("10.0")]]),
        (PRINTS, [{"BS": ["Ag==", "AQ=="]}], [[b"\x01", b"\x02"]]),
        (
            MIXED,
            [{"S": "x"}, {"N": "1.0"}, {"BOOL": True}, {"L": [{"N": "1"}]}, None],
            ["x", "1.0", "true", "[1]", None],
        ),
        (column("a", of(TypeKind.VARCHAR), N), [{"N": "1E+2"}, {"N": "007"}], ["1E+2", "007"]),
        (column("a", of(TypeKind.VARCHAR)), [None, {"NULL": True}], [None, None]),
    ],
)
def test_values_arrive_as_they_are(one: Column, values: list[Any], expected: list[Any]) -> None:
    assert decode(one, *values) == expected


@pytest.mark.parametrize(
    ("one", "value", "wider", "types"),
    [
        (TEXT, {"N": "1"}, of(TypeKind.VARCHAR), {S, N}),
        (TEXT, {"L": []}, of(TypeKind.VARCHAR), {S, AttributeType.LIST}),
        (INTEGER, {"N": "1.5"}, of(TypeKind.DECIMAL, 2), {N}),
        (INTEGER, {"N": "9223372036854775808"}, of(TypeKind.DECIMAL, 2), {N}),
        (INTEGER, {"S": "x"}, of(TypeKind.VARCHAR), {S, N}),
        (MONEY, {"N": "1.555"}, of(TypeKind.DECIMAL, 4), {N}),
        (MONEY, {"N": "1" + "0" * 36}, of(TypeKind.DOUBLE), {N}),
        (MONEY, {"N": "1E-130"}, of(TypeKind.DOUBLE), {N}),
        (DATE, {"S": "2024-02-30"}, of(TypeKind.VARCHAR), {S}),
        (DATE, {"S": "0000-01-01"}, of(TypeKind.VARCHAR), {S}),
        (DATE, {"S": "2024-1-1"}, of(TypeKind.VARCHAR), {S}),
        (FLAG, {"S": "true"}, of(TypeKind.VARCHAR), {S, AttributeType.BOOLEAN}),
        (JSON, {"L": []}, of(TypeKind.VARCHAR), {AttributeType.MAP, AttributeType.LIST}),
        (RATINGS, {"NS": ["1.25"]}, of(TypeKind.LIST, element=of(TypeKind.DECIMAL, 2)), {AttributeType.NUMBER_SET}),
        (MIXED, {"M": {}}, of(TypeKind.VARCHAR), {*MIXED.attribute_types, AttributeType.MAP}),
        (column("a", of(TypeKind.VARCHAR)), {"N": "1.5"}, of(TypeKind.DECIMAL, 1), {N}),
    ],
)
def test_a_value_that_does_not_fit_widens_the_column(
    one: Column, value: Any, wider: ColumnType, types: set[AttributeType]
) -> None:
    with pytest.raises(SchemaConflict) as raised:
        decode(one, value)
    learnt = raised.value.table.column("a")
    assert raised.value.columns == ("a",)
    assert learnt is not None
    assert learnt.type == wider
    assert learnt.attribute_types == frozenset(types)
    assert len(decode(learnt, value)) == 1  # what was learnt is enough


def test_all_conflicts_of_a_page_are_learnt_at_once() -> None:
    columns = [
        column("a", of(TypeKind.BIGINT), N),
        column("b", of(TypeKind.DATE), S),
        column("c", of(TypeKind.VARCHAR), S),
    ]
    with pytest.raises(SchemaConflict) as raised:
        PageDecoder(relation(columns), {}).decode(page({"a": {"N": "1.5"}, "b": {"S": "soon"}, "c": {"S": "x"}}), 1)
    assert raised.value.columns == ("a", "b")
    assert raised.value.table.columns[2] == columns[2]


def test_the_document_column_holds_every_attribute() -> None:
    decoder = PageDecoder(relation([DOCUMENT], of_table=table([TEXT])), {})
    batch = decoder.decode(page({"pk": {"S": "k"}, "unknown": {"L": [{"N": "1.10"}, {"B": "AAEC"}]}}), 1)
    assert batch.column(0).to_pylist() == ['{"pk":"k","unknown":[1.10,"AAEC"]}']


def test_rows_are_counted_without_any_column() -> None:
    assert PageDecoder(relation([]), {}).decode(page({}, {"x": {"S": "1"}}, {}), 3).num_rows == 3


@pytest.mark.parametrize("columns", [[], [TEXT], [JSON], [TEXT, column("b", of(TypeKind.JSON), AttributeType.MAP)]])
def test_an_empty_page_is_an_empty_batch(columns: list[Column]) -> None:
    batch = PageDecoder(relation(columns), {}).decode(b"[]", 0)
    assert (batch.num_rows, batch.schema) == (0, arrow_schema(relation(columns)))


@pytest.mark.parametrize("name", ["", "a.b", ".x", "[0]", "Ä\"'", "a", "A", "select", "💥", "S", "NULL"])
def test_attribute_names_may_hold_anything(name: str) -> None:
    batch = PageDecoder(relation([column(name, of(TypeKind.VARCHAR), S)]), {}).decode(page({name: {"S": "v"}}), 1)
    assert batch.column(0).to_pylist() == ["v"]


@pytest.mark.complaint(11)
def test_names_that_differ_in_case_are_different_columns() -> None:
    columns = [column("a", of(TypeKind.VARCHAR), S), column("A", of(TypeKind.BIGINT), N)]
    batch = PageDecoder(relation(columns), {}).decode(page({"a": {"S": "x"}, "A": {"N": "1"}}), 1)
    assert batch.to_pylist() == [{"c0": "x", "c1": 1}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"[null]",
        b'[{"a":"x"}]',
        b'[{"a":{"S":1}}]',
        b'[{"a":{"S":"\\ud800"}}]',
        b'[{"a":{"S":"\xff"}}]',
        b'[{"a":{"S":"x"}}],"Items":[]',
        b"[" * 5000 + b"]" * 5000,
    ],
)
@pytest.mark.parametrize("one", [TEXT, JSON, MIXED])
@pytest.mark.parametrize("few", [0, FEW])
def test_what_is_not_a_page_fails_cleanly(body: bytes, one: Column, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_decoding, "FEW", few)
    with pytest.raises(MalformedPage):
        PageDecoder(relation([one]), {}).decode(body, 1)


@pytest.mark.parametrize(
    ("one", "value"),
    [
        (BLOB, {"B": "*"}),
        (DOUBLE, {"N": "1E9999"}),
        (TAGS, {"SS": "x"}),
        (RATINGS, {"NS": [1]}),
        (INTEGER, {"N": "abc"}),
    ],
)
@pytest.mark.parametrize("few", [0, FEW])
def test_values_that_dynamodb_does_not_have_fail_cleanly(
    one: Column, value: Any, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_decoding, "FEW", few)
    with pytest.raises(MalformedPage):
        decode(one, value)


def test_a_declared_type_is_an_assertion() -> None:
    with pytest.raises(Failure) as raised:
        decode(INTEGER, {"S": "x"}, overrides={"a": Override(type=of(TypeKind.BIGINT))})
    assert raised.value.fact == NotTheDeclaredType("things", "a", "BIGINT", ("S",))
    with pytest.raises(Failure):
        decode(DATE, {"S": "soon"}, overrides={"a": Override(type=of(TypeKind.DATE))})


@pytest.mark.parametrize("kind", [TypeKind.VARCHAR, TypeKind.JSON])
def test_a_declared_text_takes_anything_once_it_is_known(kind: TypeKind) -> None:
    overrides = {"a": Override(type=of(kind))}
    with pytest.raises(SchemaConflict) as raised:
        decode(column("a", of(kind), S), {"N": "1"}, overrides=overrides)
    learnt = raised.value.table.column("a")
    assert learnt is not None
    assert learnt.type == of(kind)
    assert decode(learnt, {"N": "1"}, overrides=overrides) == ["1"]


def test_a_wrong_not_null_is_found_out() -> None:
    assert decode(TEXT, {"S": "x"}, overrides={"a": Override(not_null=True)}) == ["x"]
    with pytest.raises(Failure) as raised:
        decode(TEXT, None, overrides={"a": Override(not_null=True)})
    assert raised.value.fact == LackingThoughDeclared("things", "a")


_numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1E30"), max_value=Decimal("1E30"), places=4
)
_leaves = st.one_of(
    st.text(max_size=8).map(lambda text: {"S": text}),
    _numbers.map(lambda number: {"N": str(number)}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: {"L": items}),
        st.dictionaries(st.text(max_size=4), inner, max_size=3).map(lambda items: {"M": items}),
    ),
    max_leaves=6,
)


@given(st.lists(st.one_of(st.none(), _values), min_size=1, max_size=8))
def test_learning_settles_and_nothing_becomes_null(values: list[Any]) -> None:
    """From knowing nothing, each conflict widens, at most a few times, until every value is carried as non-NULL."""
    known = column("a", of(TypeKind.VARCHAR))
    for _ in range(4):
        try:
            decoded = decode(known, *values)
            break
        except SchemaConflict as conflict:
            (known,) = conflict.table.columns
    assert [value is None for value in decoded] == [value is None or "NULL" in value for value in values]
    if known.type.kind is TypeKind.JSON:
        for text in decoded:
            assert text is None or json.loads(text, parse_float=Decimal) is not None


def test_a_batch_of_json_is_json_to_duckdb() -> None:
    assert arrow_schema(relation([JSON])).field(0).type == pa.json_(pa.string())
