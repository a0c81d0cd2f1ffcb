"""Which type and notes a sample gives a column."""

from typing import Any

import pytest

from mcp_server.adapters.decoding.column_types import Sample, column, widened, wider_of
from mcp_server.domain.schema import AttributeType, ColumnType, TypeKind
from tests.mcp_server.adapters.relations import N, S, of
from tests.mcp_server.adapters.relations import column as known


def sample(*values: dict[str, Any]) -> Sample:
    found = Sample()
    for value in values:
        found.add(value)
    return found


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], of(TypeKind.VARCHAR)),
        ([{"NULL": True}], of(TypeKind.VARCHAR)),
        ([{"S": "x"}, {"NULL": True}], of(TypeKind.VARCHAR)),
        ([{"S": "2024-01-01"}, {"S": "1999-12-31"}], of(TypeKind.DATE)),
        ([{"S": "2024-01-01"}, {"S": ""}], of(TypeKind.VARCHAR)),
        ([{"S": "2024-01-01T00:00:00Z"}], of(TypeKind.VARCHAR)),
        ([{"N": "1"}], of(TypeKind.BIGINT)),
        ([{"N": "1"}, {"N": "1.25"}], of(TypeKind.DECIMAL, 2)),
        ([{"BOOL": True}], of(TypeKind.BOOLEAN)),
        ([{"B": "AAEC"}], of(TypeKind.BLOB)),
        ([{"M": {}}], of(TypeKind.JSON)),
        ([{"L": []}], of(TypeKind.JSON)),
        ([{"SS": ["a"]}], of(TypeKind.LIST, element=of(TypeKind.VARCHAR))),
        ([{"NS": ["1", "2.5"]}], of(TypeKind.LIST, element=of(TypeKind.DECIMAL, 1))),
        ([{"BS": ["AQ=="]}], of(TypeKind.LIST, element=of(TypeKind.BLOB))),
        ([{"S": "x"}, {"N": "1"}], of(TypeKind.VARCHAR)),
        ([{"M": {}}, {"L": []}], of(TypeKind.VARCHAR)),
    ],
)
def test_a_sample_decides_the_type(values: list[dict[str, Any]], type_: ColumnType) -> None:
    assert column("a", sample(*values), 10).type == type_


def test_keys_of_the_table_stay_text() -> None:
    assert column("pk", sample({"S": "2024-01-01"}), 1, may_be_date=False).type == of(TypeKind.VARCHAR)


def test_what_else_a_column_holds_is_noted() -> None:
    found = column("a", sample(*[{"S": "x"}] * 97, *[{"N": "1"}] * 3, {"NULL": True}), 202)
    rest = (
        "read as text; compared with a number, those that are no numbers do not match; ORDER BY, max() and min() order "
        "texts, and sum() fails: TRY_CAST(a AS DOUBLE) has the numbers"
    )
    assert found.notes == (f"mostly S, also holds N in 3% of sampled values; {rest}",)
    late = widened(column("a", sample({"N": "1"}), 1), sample({"S": "x"}, {"BOOL": True}))
    assert late.notes == (f"also holds BOOL, S; {rest}",)
    assert widened(late, sample({"B": "eA=="})).notes == (*late.notes, "also holds B")
    texts = widened(column("a", sample({"S": "x"}), 1), sample({"BOOL": True}))
    assert texts.notes == ("also holds BOOL; read as text",)
    assert found.attribute_types == {S, N}
    assert found.presence == 0.5


def test_rounding_is_noted() -> None:
    assert "DOUBLE" in column("a", sample({"N": "1E100"}), 1).notes[0]


@pytest.mark.parametrize(
    ("fresh", "learnt", "kept"),
    [
        (known("a", of(TypeKind.BIGINT), N), known("a", of(TypeKind.DECIMAL, 2), N), of(TypeKind.DECIMAL, 2)),
        (known("a", of(TypeKind.DECIMAL, 4), N), known("a", of(TypeKind.DECIMAL, 2), N), of(TypeKind.DECIMAL, 4)),
        (known("a", of(TypeKind.DOUBLE), N), known("a", of(TypeKind.DECIMAL, 2), N), of(TypeKind.DOUBLE)),
        (known("a", of(TypeKind.DATE), S), known("a", of(TypeKind.VARCHAR), S), of(TypeKind.VARCHAR)),
        (known("a", of(TypeKind.BIGINT), N), known("a", of(TypeKind.VARCHAR), S, N), of(TypeKind.VARCHAR)),
        (
            known("a", of(TypeKind.BOOLEAN), AttributeType.BOOLEAN),
            known("a", of(TypeKind.DATE), S),
            of(TypeKind.BOOLEAN),
        ),
    ],
)
def test_a_fresh_sample_does_not_unlearn(fresh: object, learnt: object, kept: ColumnType) -> None:
    assert wider_of(fresh, learnt).type == kept  # type: ignore[arg-type] # parametrised with Columns
