"""A bound statement means what the statement means: both are run by DuckDB and must agree, column names included."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables

_TEXT = (Path(__file__).parent / "same_results.sql").read_text(encoding="utf-8")
STATEMENTS = [part.strip() for part in re.sub(r"^--.*$", "", _TEXT, flags=re.MULTILINE).split(";\n") if part.strip()]


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


def _comparable(rows: list[Any]) -> list[str]:
    return [repr(row) for row in rows]


@pytest.mark.complaint(17)
@pytest.mark.parametrize("sql", STATEMENTS, ids=range(1, len(STATEMENTS) + 1))
@pytest.mark.parametrize("narrowed", [False, True], ids=["all rows", "necessary rows"])
def test_the_bound_statement_gives_the_same_rows(tables: PlainTables, sql: str, narrowed: bool) -> None:
    expected = _comparable(tables.connection.execute(sql).fetchall())

    result = tables.run(tables.bind(sql), narrowed=narrowed)

    assert _comparable(result.fetchall()) == expected
