"""Whatever maps and lists hold comes out of a page as it is in DynamoDB, once its column is wide enough."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding import column_types, item_decoding
from mcp_server.adapters.decoding.arrow_values import fast_array, fast_struct
from mcp_server.adapters.decoding.column_types import Sample
from mcp_server.adapters.decoding.item_decoding import FEW, PageDecoder
from mcp_server.adapters.decoding.nested_types import JSON, VARCHAR, Shape, both, list_of, struct
from mcp_server.domain.schema import AttributeType, Column, ColumnType, TypeKind
from mcp_server.ports.items import SchemaConflict
from tests.mcp_server.adapters.relations import page, relation, table

_NAMES = st.sampled_from(["a", "b", "A", "a b", "", "é"])
_SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from(["", "x", "1", "Oslo"]).map(lambda text: {"S": text}),
    st.sampled_from(["0", "1", "-2.5", "12345678901234567890", "1E+40", "0.125"]).map(lambda text: {"N": text}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.just({"SS": ["b", "a"]}),
    st.just({"B": "AQ=="}),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.dictionaries(_NAMES, inner, max_size=3).map(lambda fields: {"M": fields}),
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
    ),
    max_leaves=8,
)
_NESTED = _VALUES.filter(lambda value: "M" in value or "L" in value)
_COLUMN_ITEMS = st.lists(st.one_of(_NESTED, st.just({"NULL": True}), st.none()), min_size=1, max_size=6)


def expected(value: dict[str, Any] | None, type_: ColumnType) -> Any:
    """What a value is in a column of a type."""
    if value is None or "NULL" in value:
        return None
    if type_.kind is TypeKind.STRUCT:
        assert value["M"].keys() <= {name for name, _ in type_.fields}
        return {name: expected(value["M"].get(name), field) for name, field in type_.fields}
    if type_.kind is TypeKind.LIST and type_.element is not None and "L" in value:
        return [expected(member, type_.element) for member in value["L"]]
    if type_.kind is TypeKind.JSON:
        return av.json_text(av.plain(value))
    if type_.kind is TypeKind.VARCHAR:
        return av.text(value)
    if "N" in value:
        return {TypeKind.BIGINT: int, TypeKind.DOUBLE: float, TypeKind.DECIMAL: Decimal}[type_.kind](
            Decimal(value["N"])
        )
    return value["BOOL"]


def written(values: list[Any]) -> str:
    """Values as one text, in which 0 and 0.0 of a DECIMAL are alike."""
    return json.dumps(values, default=lambda value: str(value.normalize() if isinstance(value, Decimal) else value))


@pytest.mark.complaint(18)
@example([{"M": {"a": {"N": "-2.5"}}}], [{"M": {"a": {"N": "0"}}}])
@example([{"M": {"a": {"S": "x"}, "b": {"L": [{"N": "1"}]}}}], [{"M": {"a": {"N": "2"}}}, None, {"M": {}}])
@given(_COLUMN_ITEMS, _COLUMN_ITEMS)
def test_what_was_not_sampled_comes_out_whole(
    sampled: list[dict[str, Any] | None], late: list[dict[str, Any] | None]
) -> None:
    sample = Sample()
    for value in sampled:
        if value is not None:
            sample.add(value)
    column = column_types.column("v", sample, len(sampled))
    few = [{} if value is None else {"v": value} for value in late]
    many = few * (FEW // len(few) + 1)
    for _ in range(3):
        decoder = PageDecoder(relation([column], of_table=table([column])), {})
        try:
            (array,) = decoder.decode(page(*few), len(few)).columns
        except SchemaConflict as conflict:
            (wider,) = conflict.table.columns
            assert wider.type != column.type or wider.attribute_types != column.attribute_types
            column = wider
        else:
            # Pages of many items take another way.
            (again,) = decoder.decode(page(*many), len(many)).columns
            again.validate(full=True)
            assert again.to_pylist() == array.to_pylist() * (len(many) // len(few))
            storage = getattr(array, "storage", array)
            assert written(storage.to_pylist()) == written([expected(value, column.type) for value in late])
            return
    raise AssertionError("the column is never wide enough")


def type_of(value: dict[str, Any]) -> ColumnType:
    """The type of one value."""
    shape = Shape()
    shape.add(value)
    return shape.type()


@given(_NESTED, _NESTED, _NESTED)
def test_widening_does_not_depend_on_the_order(one: Any, other: Any, third: Any) -> None:
    first, second, last = type_of(one), type_of(other), type_of(third)
    assert both(first, second) == both(second, first)
    assert both(first, first) == first
    assert both(both(first, second), first) == both(first, second)
    assert both(first, JSON) == JSON
    assert both(both(first, second), last).kind == both(first, both(second, last)).kind


def test_maps_whose_keys_are_data_are_documents() -> None:
    shape = Shape()
    for number in range(40):
        shape.add({"M": {f"user_{number}": {"N": "1"}}})
    assert shape.type() == JSON
    deep: dict[str, Any] = {"S": "x"}
    for _ in range(12):
        deep = {"M": {"a": deep}}
    assert "JSON" in type_of(deep).sql


_SHAPES: st.SearchStrategy[ColumnType] = st.deferred(
    lambda: st.one_of(
        st.sampled_from([ColumnType(TypeKind.BIGINT), ColumnType(TypeKind.VARCHAR), ColumnType(TypeKind.BOOLEAN)]),
        st.dictionaries(st.sampled_from(["a", "b", "a b", "é"]), _SHAPES, min_size=1, max_size=3).map(struct),
        _SHAPES.map(list_of),
    )
)


def values_of(type_: ColumnType) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a type, NULL among them; a text may have been any scalar."""
    value: st.SearchStrategy[dict[str, Any]]
    if type_.kind is TypeKind.STRUCT:
        fields = {name: values_of(field) for name, field in type_.fields}
        value = st.fixed_dictionaries({}, optional=fields).map(lambda found: {"M": found})
    elif type_.element is not None:
        value = st.lists(values_of(type_.element), max_size=3).map(lambda found: {"L": found})
    elif type_.kind is TypeKind.BIGINT:
        value = st.integers(-(2**63), 2**63 - 1).map(lambda number: {"N": str(number)})
    elif type_.kind is TypeKind.BOOLEAN:
        value = st.booleans().map(lambda flag: {"BOOL": flag})
    else:
        value = st.sampled_from([{"S": "x"}, {"S": '"\u00e9'}, {"N": "1.50"}, {"BOOL": True}])
    return st.one_of(value, value, value, st.just({"NULL": True}))


@pytest.mark.slow
@given(_SHAPES.filter(lambda type_: type_.kind in (TypeKind.STRUCT, TypeKind.LIST)), st.data())
def test_maps_and_lists_of_one_shape_are_read_by_arrow(type_: ColumnType, data: st.DataObject) -> None:
    items = data.draw(st.lists(st.one_of(st.none(), values_of(type_)), min_size=FEW + 1, max_size=FEW + 4))
    descriptor = AttributeType.MAP if type_.kind is TypeKind.STRUCT else AttributeType.LIST
    column = Column("v", type_, frozenset({descriptor}))
    wanted = [expected(value, type_) for value in items]
    form = fast_struct(column)
    assert form is not None
    fast = fast_array(column, pa.array(items, form))
    assert fast is not None
    assert fast.to_pylist() == wanted
    decoder = PageDecoder(relation([column], of_table=table([column])), {})
    (array,) = decoder.decode(page(*({} if value is None else {"v": value} for value in items)), len(items)).columns
    array.validate(full=True)
    assert array.to_pylist() == wanted


_GEO = struct({"lat": ColumnType(TypeKind.BIGINT), "lon": ColumnType(TypeKind.BIGINT)})
_PLACE = struct({"city": VARCHAR, "geo": _GEO, "n": ColumnType(TypeKind.BIGINT)})
_LATE: dict[str, dict[str, Any]] = {
    "a text": {"S": "nowhere"},
    "a text within": {"M": {"city": {"S": "Oslo"}, "geo": {"S": "north"}}},
    "another type": {"M": {"city": {"S": "Oslo"}, "n": {"S": "many"}}},
    "a field": {"M": {"city": {"S": "Oslo"}, "late": {"S": "x"}}},
    "a field within": {"M": {"city": {"S": "Oslo"}, "geo": {"M": {"alt": {"N": "1"}}}}},
}


@pytest.mark.parametrize("times", [1, FEW + 1])
@pytest.mark.parametrize(
    ("wanted", "disturbing"),
    [
        ({"city": VARCHAR}, ["a text"]),
        ({"n": ColumnType(TypeKind.BIGINT)}, ["a text", "another type"]),
        ({"geo": struct({"lat": ColumnType(TypeKind.BIGINT)})}, ["a text", "a text within"]),
        ({"geo": _GEO}, ["a text", "a text within", "a field within"]),
        (dict(_PLACE.fields), list(_LATE)),
    ],
)
def test_of_the_fields_that_are_wanted_nothing_is_passed_over(
    wanted: dict[str, ColumnType], disturbing: list[str], times: int
) -> None:
    """What else a map holds disturbs nothing; what is no map is found, also where only one field of it is wanted."""
    place = Column("v", _PLACE, frozenset({AttributeType.MAP}))
    part = replace(place, type=struct(wanted))
    decoder = PageDecoder(relation([part], of_table=table([place])), {})
    for name, late in _LATE.items():
        body = page(*[{"v": late}] * times)
        if name in disturbing:
            with pytest.raises(SchemaConflict):
                decoder.decode(body, times)
        else:
            (array,) = decoder.decode(body, times).columns
            content = late["M"]
            assert [one.keys() for one in array.to_pylist()] == [wanted.keys()] * times
            if "city" in wanted:
                assert array.to_pylist() == [{"city": content["city"]["S"]}] * times


def test_some_fields_of_a_map_are_read_by_arrow_beside_a_map_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Column("w", _PLACE, frozenset({AttributeType.MAP}))
    place = replace(whole, name="v")
    value = {"M": {"city": {"S": "Oslo"}, "geo": {"M": {"lat": {"N": "1"}, "lon": {"N": "2"}}}, "n": {"N": "3"}}}
    monkeypatch.setattr(item_decoding, "slow_array", None)
    for fields in ({"n": ColumnType(TypeKind.BIGINT)}, {"geo": struct({"lon": ColumnType(TypeKind.BIGINT)})}):
        part = replace(place, type=struct(fields))
        for columns in ([part], [part, whole]):
            decoder = PageDecoder(relation(columns, of_table=table([place, whole])), {})
            batch = decoder.decode(page(*[{"v": value, "w": value}] * (FEW + 1)), FEW + 1)
            assert batch.column(0).to_pylist() == [{"n": 3} if "n" in fields else {"geo": {"lon": 2}}] * (FEW + 1)
