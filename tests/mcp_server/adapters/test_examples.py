"""What is told of a column's values is true of every value of the sample, and tells no more than it should."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.adapters.decoding.column_types import MOST_PARTS, MOST_RARE_PARTS, Sample, column
from mcp_server.adapters.decoding.examples import LONGEST, MOST_VALUES
from mcp_server.adapters.table_description import Samples, sampled
from mcp_server.domain.schema import Examples, PartExamples, RarePart
from tests.mcp_server.adapters.relations import table


def told(values: list[dict[str, Any]], *, whole: bool = False) -> Examples | None:
    """What is told of an attribute with those values."""
    sample = Sample()
    for value in values:
        sample.add(value)
    return column("v", sample, len(values), whole=whole).examples


@pytest.mark.parametrize("whole", [True, False])
def test_keys_that_come_often_in_a_sample_are_not_all_keys(whole: bool) -> None:
    """Items of one partition lie side by side, and so are sampled together."""
    samples = Samples()
    samples.add({"pk": {"S": f"p{number % 5}"}, "kind": {"S": f"k{number % 5}"}} for number in range(100))
    found = sampled(table([]), samples, {}, measured=False, whole=whole)
    pk, kind = (found.column(name) for name in ("pk", "kind"))
    assert pk is not None
    assert kind is not None
    assert pk.examples == Examples(
        ("p0", "p1", "p2", "p3", "p4") if whole else (), "p0", "p4", None, shape="a0", one_case="lower"
    )
    assert kind.examples == Examples(("k0", "k1", "k2", "k3", "k4"), "k0", "k4", None, shape="a0", one_case="lower")


def texts(*values: str) -> list[dict[str, Any]]:
    """Texts as DynamoDB holds them."""
    return [{"S": value} for value in values]


@given(st.lists(st.one_of(st.text(max_size=50), st.integers().map(str)), min_size=1, max_size=60), st.booleans())
def test_values_and_range_are_those_of_the_sample(values: list[str], whole: bool) -> None:
    found = told(texts(*values), whole=whole)
    assert found is not None
    distinct = sorted(set(values))
    few = len(distinct) <= MOST_VALUES and max(map(len, distinct)) <= LONGEST
    assert list(found.values) == (distinct if few and (whole or len(values) >= 2 * len(distinct)) else [])
    assert (found.low, found.high) in [(distinct[0], distinct[-1]), (None, None)]


@given(st.lists(st.decimals(-(10**20), 10**20, places=2), min_size=1, max_size=60))
def test_numbers_are_ordered_by_value(values: list[Decimal]) -> None:
    found = told([{"N": str(value)} for value in values])
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (Decimal(found.low), Decimal(found.high)) == (min(values), max(values))


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (texts("007", "12"), "digits"),
        (texts("2024-01-31", "2024-02-01"), "date, YYYY-MM-DD"),
        (texts("2024-01-31T08:00:00Z", "2024-01-31T08:00:00.123Z"), "time, ISO 8601 in UTC"),
        (texts("2024-01-31T08:00:00Z", "2024-01-31T08:00:00+02:00"), "time, ISO 8601"),
        (texts("2024-01-31 08:00"), "time, ISO 8601"),
        (texts("123e4567-e89b-12d3-a456-426614174000"), "UUID"),
        (texts("ORDER#1", "CUSTOMER#7", "ORDER#2"), "CUSTOMER#…, ORDER#…"),
        (texts("ORDER#1", "else"), None),
        (texts("a", "b"), None),
        (texts(*(f"{'k' * (number + 1)}#1" for number in range(11))), None),
        ([{"N": "1700000000"}, {"N": "1800000000"}], "time, seconds since 1970"),
        ([{"N": "1700000000000"}], "time, milliseconds since 1970"),
        ([{"N": "1700000000"}, {"N": "5"}], None),
        ([{"N": "1"}, {"S": "1"}], None),
    ],
)
def test_a_form_is_told_only_if_all_values_have_it(values: list[dict[str, Any]], form: str | None) -> None:
    found = told(values)
    assert found is not None
    assert found.form == form


@pytest.mark.parametrize("value", [{"BOOL": True}, {"B": "AQ=="}, {"M": {}}, {"L": []}, {"NS": ["1"]}, {"NULL": True}])
def test_of_other_types_nothing_is_told(value: dict[str, Any]) -> None:
    assert told([value] * 3) is None


def test_values_of_a_mixed_column_are_told_without_a_range() -> None:
    assert told([*texts("x", "x"), {"N": "1"}, {"N": "1"}]) == Examples(("1", "x"))


def maps(**fields: list[str]) -> list[dict[str, Any]]:
    """Maps of texts, one for each place of the lists."""
    return [
        {"M": {name: {"S": text} for name, text in zip(fields, one, strict=True)}}
        for one in zip(*fields.values(), strict=True)
    ]


def test_few_texts_of_parts_are_told() -> None:
    kinds, names = ["x", "y"] * 20, [f"n{number}" for number in range(40)]
    of_map = told(maps(kind=kinds, name=names, long=["z" * (LONGEST + 1)] * 40))
    assert of_map == Examples(parts=(PartExamples(("kind",), ("x", "y")),))
    of_list = told([{"L": [one, one]} for one in maps(kind=kinds, name=names)])
    assert of_list == Examples(parts=(PartExamples((None, "kind"), ("x", "y")),))
    assert told([{"L": texts("a", "b")}] * 4) == Examples(parts=(PartExamples((None,), ("a", "b")),))


def test_texts_that_name_the_lists_they_are_in_are_not_told() -> None:
    """Each list holds ten times the same text, and no other list has it."""
    lists = [{"L": texts(*[f"order {number}"] * 10)} for number in range(20)]
    assert told(lists) is None
    assert told(lists, whole=True) is not None


@pytest.mark.parametrize(
    "values",
    [
        [{"M": {"a": {"S": "x"}}}, {"M": {"a": {"N": "1"}}}] * 5,
        [{"M": {"a": {"S": "x"}}}, {"S": "x"}] * 5,
        [{"M": {f"key{place}_{number}": {"S": "x"} for place in range(3)}} for number in range(20)] * 2,
        [{"M": {f"key{number}": {"S": "x"} for number in range(65)}}] * 5,
    ],
)
def test_of_parts_without_one_shape_nothing_is_told(values: list[dict[str, Any]]) -> None:
    found = told(values)
    assert found is None or not found.parts


def test_fields_that_few_maps_have_are_told_with_their_share() -> None:
    maps_of_40 = [{"M": {"city": {"S": f"c{number}"}, "geo": {"M": {}}}} for number in range(40)]
    maps_of_40[7]["M"] |= {"rare": {"N": "1"}, "gift": {"M": {"of": {"S": "x"}}}}
    maps_of_40[8]["M"] |= {"rare": {"N": "1"}, "geo": {"M": {"lat": {"N": "1"}}}}
    rare = (RarePart(("geo", "lat"), 1 / 40), RarePart(("gift",), 1 / 40), RarePart(("rare",), 2 / 40))
    assert told(maps_of_40) == Examples(rare=rare)
    in_lists = tuple(replace(part, path=(None, *part.path)) for part in rare)
    assert told([{"L": [one]} for one in maps_of_40]) == Examples(rare=in_lists)
    assert (
        told([{"M": {"a": {"S": f"{number}"}} | ({"b": {"N": "1"}} if number < 10 else {})} for number in range(40)])
        is None
    )


def test_of_the_fields_that_few_maps_have_the_rarest_are_told() -> None:
    values = [
        {"M": {"id": {"S": f"{item}"}} | {f"f{n}": {"N": "1"} for n in range(9) if item <= n}} for item in range(90)
    ]
    found = told(values)
    assert found is not None
    assert [part.path for part in found.rare] == [(f"f{number}",) for number in range(MOST_RARE_PARTS)]


def test_parts_of_a_table_that_are_told_are_few() -> None:
    samples = Samples()
    one = {"M": {f"f{number}": {"S": "x"} for number in range(20)}}
    samples.add({"pk": {"S": f"p{number}"}, "a": one, "b": one, "c": one} for number in range(50))
    found = sampled(table([]), samples, {}, measured=False, whole=True)
    told_of = {column.name: len(column.examples.parts) for column in found.columns if column.examples is not None}
    assert sum(told_of.values()) == MOST_PARTS
    assert told_of["a"] == 20
    assert "c" not in told_of


def test_the_few_texts_of_sets_are_told() -> None:
    """As those of lists are: at most half as many as there are sets."""
    assert told([{"SS": ["a", "b"]}, {"SS": ["b"]}] * 4) == Examples(parts=(PartExamples((None,), ("a", "b")),))
    assert told([{"SS": [f"{number}"]} for number in range(30)]) is None
