"""Texts that are numerals, where DuckDB needs a number: the failure has the statement that says which, and it runs."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, Position
from mcp_server.domain.failures.values import NotEvaluated
from mcp_server.surface.wording.next_call import next_call
from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    item = {"pk": {"S": "a"}, "age": {"N": "6"}, "price": {"N": "2.5"}, "day": {"S": "2024-03-08"}}
    await service.create("num_people", [item])


@pytest.mark.parametrize(
    ("written", "parameters", "meant", "numerals", "rows"),
    [
        ("age * $1", ["7"], "age * CAST($1 AS BIGINT)", [("$1", "BIGINT")], [[42]]),
        ("age * ?", ["-7.5"], "age * CAST(? AS DOUBLE)", [("?", "DOUBLE")], [[-45.0]]),
        ("price * :x", {"x": "1e1"}, "price * CAST(:x AS DOUBLE)", [(":x", "DOUBLE")], [[25.0]]),
        ("price*( $many )", {"many": "2"}, "price*( CAST($many AS BIGINT) )", [("$many", "BIGINT")], [["5.0"]]),
        ("age * '7'", None, "age * CAST('7' AS BIGINT)", [("'7'", "BIGINT")], [[42]]),
        ("-$1", ["7"], "-CAST($1 AS BIGINT)", [("$1", "BIGINT")], [[-7]]),
        ("abs(?) + abs(?)", ["-7", "1"], "abs(CAST(? AS BIGINT)) + abs(CAST(? AS BIGINT))", [("?", "BIGINT")], [[8]]),
        (
            "$1 * $2 + length($1)",
            ["7", "0.5"],
            "CAST($1 AS BIGINT) * CAST($2 AS DOUBLE) + length($1)",
            [("$1", "BIGINT"), ("$2", "DOUBLE")],
            [[4.5]],
        ),
        ("round('7.25')", None, "round(CAST('7.25' AS DOUBLE))", [("'7.25'", "DOUBLE")], [[7.0]]),
        ("sum($1)", ["7"], "sum(CAST($1 AS BIGINT))", [("$1", "BIGINT")], [[7]]),
        ("to_days($1)", ["7"], "to_days(CAST($1 AS BIGINT))", [("$1", "BIGINT")], [["P7D"]]),
        ("epoch_ms($1)", ["7"], "epoch_ms(CAST($1 AS BIGINT))", [("$1", "BIGINT")], [["1970-01-01T00:00:00.007"]]),
        (
            "day - $1 * INTERVAL 1 DAY",
            ["7"],
            "day - CAST($1 AS BIGINT) * INTERVAL 1 DAY",
            [("$1", "BIGINT")],
            [["2024-03-01T00:00:00"]],
        ),
        (
            "day - INTERVAL 1 DAY * $1",
            ["0.5"],
            "day - INTERVAL 1 DAY * CAST($1 AS DOUBLE)",
            [("$1", "DOUBLE")],
            [["2024-03-07T12:00:00"]],
        ),
        ("day - $1", ["7"], "day - CAST($1 AS INTEGER)", [("$1", "INTEGER")], [["2024-03-01"]]),
        ("date_add(day, $1)", ["7"], "date_add(day, CAST($1 AS INTEGER))", [("$1", "INTEGER")], [["2024-03-15"]]),
        ("range($1)", ["2"], "range(CAST($1 AS BIGINT))", [("$1", "BIGINT")], [[[0, 1]]]),
    ],
)
async def test_a_numeral_is_cast_to_the_number_that_it_is(
    service: Service, written: str, parameters: Any, meant: str, numerals: list[tuple[str, str]], rows: list[list[Any]]
) -> None:
    sql = f"SELECT {written} FROM num_people WHERE pk = 'a'"
    with pytest.raises(Failure) as failed:
        await service.run(sql, parameters=parameters)

    assert isinstance(failed.value.fact, NotEvaluated)
    assert failed.value.fact.numerals == tuple(numerals)
    assert isinstance(failed.value.position, Position)
    following = next_call(failed.value, "run_sql", {"sql": sql, "parameters": parameters})
    assert following is not None
    assert following.arguments["sql"] == f"SELECT {meant} FROM num_people WHERE pk = 'a'"
    assert (await service.run(**following.arguments)).rows == rows


@pytest.mark.parametrize(
    ("written", "parameters"),
    [
        ("age * $1", ["seven"]),
        ("$1 * $2", ["7", "x"]),
        ("now() - $1", ["7"]),
        ("day - $1", ["7.5"]),
        ("day - $1", ["99999999999"]),
        ("to_days($1)", ["7.5"]),
        ("year($1)", ["2024"]),
        ("[age] + $1", ["7"]),
    ],
)
async def test_no_number_is_proposed_where_none_is_written_or_taken(
    service: Service, written: str, parameters: list[str]
) -> None:
    with pytest.raises(Failure) as failed:
        await service.run(f"SELECT {written} FROM num_people", parameters=parameters)

    assert isinstance(failed.value.fact, NotEvaluated)
    assert (failed.value.fact.numerals, failed.value.meant) == ((), None)


async def test_the_place_is_that_of_the_parameter(service: Service) -> None:
    with pytest.raises(Failure) as failed:
        await service.run("SELECT age,\n  -$1 FROM num_people", parameters=["7"])

    assert failed.value.position == Position(2, 4)
