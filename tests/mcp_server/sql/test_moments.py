"""What planning computes of dates and moments is what DuckDB computes."""

from collections.abc import Iterator
from datetime import date, datetime

import duckdb
import pytest

from mcp_server.sql.constants import NOT_CONSTANT, constant
from mcp_server.sql.gate.parse import parse

TIMES = [
    *("1969-12-31 23:59:59.9995", "1970-01-01 00:00:00", "1970-01-01 00:00:00.0005", "2024-02-29 12:30:15.2505"),
    *("2024-12-30 00:00:00.000001", "2024-12-31 23:59:59.999999", "1582-10-10 06:00:00.1", "0999-06-01 00:00:00"),
]
UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
FORMS = [
    *(f"CAST(@ AS {type_})" for type_ in ("VARCHAR", "DATE", "TIMESTAMP")),
    *(f"date_trunc('{unit}', @)" for unit in UNITS),
    *(f"CAST(date_trunc('{unit}', @) AS VARCHAR)" for unit in UNITS),
    *(f"@ {sign} INTERVAL {amount} {unit}" for sign in "+-" for amount in (1, 13, 400) for unit in UNITS),
    "CAST(@ - INTERVAL 36 HOUR AS VARCHAR)",
    "CAST((@ + INTERVAL '90 minutes') - INTERVAL 1 MONTH AS VARCHAR)",
    "epoch_ms(@)",
    "epoch_ms(@ - INTERVAL 5 MILLISECONDS)",
    "strftime(@, '%Y-%m-%dT%H:%M:%S.%fZ')",
    "strftime(@, '%g%%%d')",
    "strftime(@, '%j')",
    "strftime(@, 'day')",
]


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        yield connection


@pytest.mark.parametrize(
    "type_", ["TIMESTAMPTZ", *(pytest.param(type_, marks=pytest.mark.slow) for type_ in ("TIMESTAMP", "DATE"))]
)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_computed_of_moments_is_as_in_duckdb(oracle: duckdb.DuckDBPyConnection, form: str, type_: str) -> None:
    computed = 0
    for time in TIMES:
        text = {"DATE": time[:10], "TIMESTAMP": time, "TIMESTAMPTZ": f"{time}+00"}[type_]
        sql = form.replace("@", f"CAST('{text}' AS {type_})")
        found = constant(parse(f"SELECT {sql}", None).expression.selects[0])
        if found is NOT_CONSTANT:
            continue
        computed += 1
        cast = "::TIMESTAMP" if type(found) is datetime else "::DATE" if type(found) is date else ""
        assert oracle.execute(f"SELECT ({sql}){cast}").fetchone() == (found,), sql
    assert computed >= 3 or "%j" in form
