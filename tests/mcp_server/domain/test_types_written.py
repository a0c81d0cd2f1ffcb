"""Types are written as DuckDB writes them: descriptions, answers without it and its own say the same."""

import duckdb
import pytest

from mcp_server.domain.keywords import KEYWORDS
from mcp_server.domain.schema import ColumnType, TypeKind

TEXT = ColumnType(TypeKind.VARCHAR)
ODD = ("a", "A_1", "_", "1a", "a b", "é", 'say "so"', "it's", "a.b", "SELECT", "Year", "years", "yearly")


def test_keywords_are_those_of_duckdb() -> None:
    told = duckdb.execute("SELECT DISTINCT keyword_name FROM duckdb_keywords()").fetchall()
    assert {word for (word,) in told} == KEYWORDS


@pytest.mark.parametrize(
    "type_",
    [
        *(ColumnType(kind) for kind in TypeKind if kind not in {TypeKind.DECIMAL, TypeKind.LIST, TypeKind.STRUCT}),
        ColumnType(TypeKind.DECIMAL, scale=2),
        ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.JSON))),
        ColumnType(TypeKind.STRUCT, fields=tuple((name, TEXT) for name in ODD)),
        ColumnType(TypeKind.STRUCT, fields=tuple((word, TEXT) for word in sorted(KEYWORDS))),
        ColumnType(TypeKind.STRUCT, fields=(("at", ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.DATE))),)),
    ],
    ids=lambda type_: type_.sql[:30],
)
def test_a_type_is_written_as_duckdb_writes_it(type_: ColumnType) -> None:
    fields = ", ".join('"' + name.replace('"', '""') + '" VARCHAR' for name, _ in type_.fields)
    plain = all(field == TEXT for _, field in type_.fields)
    written = f"STRUCT({fields})" if type_.fields and plain else type_.sql
    assert duckdb.execute(f"SELECT typeof(NULL::{written})").fetchall() == [(type_.sql,)]
