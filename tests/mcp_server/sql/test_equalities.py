"""Columns that are equal in every useful row make classes, each of one SQL type in which equal values are the same."""

import random

import sqlglot

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.lowering.conditions import ColumnName, Condition, conjuncts_of
from mcp_server.sql.lowering.equalities import EqualityClass, classes_within, derived, equality_classes

_TYPES = {"n": "BIGINT", "m": "BIGINT", "f": "DOUBLE", "s": "VARCHAR", "d": "DECIMAL(38,2)"}


def _type_of(column: ColumnName) -> str | None:
    return _TYPES.get(column.name)


def _classes(condition: str) -> tuple[EqualityClass, ...]:
    conditions = conjuncts_of(sqlglot.parse_one(condition, read=Dialect))
    return equality_classes(conditions, _type_of)


def test_equalities_are_joined_across_conjuncts() -> None:
    assert _classes("a.n = b.m AND a.s = b.s AND (c.n = b.m AND d.s > a.s)") == (
        EqualityClass("BIGINT", (ColumnName("c", "n"), ColumnName("a", "n"), ColumnName("b", "m"))),
        EqualityClass("VARCHAR", (ColumnName("a", "s"), ColumnName("b", "s"))),
    )


def test_columns_of_other_types_are_in_no_class() -> None:
    assert _classes("a.n = b.f AND a.f = b.f AND a.n = b.d AND a.x = b.x") == ()


def test_an_alternative_is_no_equality() -> None:
    assert _classes("(a.n = b.m OR a.s = b.s) AND a.n = 7") == ()


def test_what_is_said_of_a_column_is_said_of_each_that_equals_it_once() -> None:
    conditions = conjuncts_of(sqlglot.parse_one("a.n = b.m AND b.m = c.n AND a.n > 7", read=Dialect))
    classes = equality_classes(conditions, _type_of)
    further = list(derived(conditions, classes))
    assert [one.expression.sql() for one in further if isinstance(one, Condition)] == ['"b"."m" > 7', '"c"."n" > 7']
    assert list(derived([*conditions, *further], classes)) == []
    assert list(derived(further, classes)) != []  # of a.n, as nobody said it there


def test_classes_of_all_sources_tell_those_of_some() -> None:
    """As long as what is left of each is still held together, or is but one column."""
    dice = random.Random(18)
    told = 0
    for _ in range(400):
        sources = "abcdef"[: dice.randint(2, 6)]
        pairs = [(*dice.sample(sources, 2), dice.choice("nms"), dice.choice("nms")) for _ in range(dice.randint(1, 6))]
        equalities = " AND ".join(f"{left}.{one} = {right}.{other}" for left, right, one, other in pairs)
        conditions = conjuncts_of(sqlglot.parse_one(equalities, read=Dialect))
        some = set(dice.sample(sources, dice.randint(1, len(sources))))
        found = classes_within(equality_classes(conditions, _type_of), some)
        if found is not None:
            assert found == equality_classes([one for one in conditions if one.sources <= some], _type_of)
            told += 1
    assert 200 < told < 400
