"""Fields of JSON, and of the elements of lists of unlike values, are texts, as fields of maps with a shape are."""

from typing import Any

import pytest

from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio


def m(**fields: Any) -> dict[str, Any]:
    """A map."""
    return {"M": fields}


WIDE = {f"k{number}": {"S": "v"} for number in range(70)}
LINES: list[dict[str, Any]] = [
    {"L": [m(sku={"S": "K"}, qty={"N": "2"}, deep=m(x={"S": "q"})), {"S": "t"}, {"N": "5"}, {"NULL": True}]},
    {"L": [m(sku={"S": "M"}, qty={"S": "many"}), {"L": [m(sku={"S": "K"})]}]},
    {"L": [m(sku={"NULL": True}), m(sku={"N": "7"})]},
    {"L": []},
    {"NULL": True},
]
ITEMS: list[dict[str, Any]] = [
    {"pk": {"S": "a"}, "n": {"N": str(number)}, "lines": lines, "wide": m(name={"S": f"w{number}"}, **WIDE)}
    for number, lines in enumerate(LINES)
]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.create("fld_json", ITEMS, range_key="n")
    late = [*ITEMS, {"pk": {"S": "a"}, "n": {"N": "9"}, "lines": {"S": "text"}}]
    await service.create("fld_texts", late, range_key="n")


@pytest.mark.parametrize("table", ["fld_json", "fld_texts"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lines[1].sku = 'K'", [0]),
        ("lines[1]['sku'] <> 'K'", [1]),
        ("lines[2][1].sku = 'K'", [1]),
        ("lines[1].deep.x LIKE 'q%'", [0]),
        ("lines[-1].sku = '7'", [2]),
        ("lines[1:2][1].sku IN ('K', 'M')", [0, 1]),
        ("lines[1].sku IS NULL AND n < 5", [2, 3, 4]),
        ("lines[1].qty = 2", [0]),
        ("lines[1].qty >= 1", [0]),
        ("length(lines[1].sku) = 1", [0, 1]),
        ("len((lines[1].qty)) = 4", [1]),
        ("length(lines[1].sku) IS NULL AND n < 5", [2, 3, 4]),
        ("len(_doc.lines) = 2 AND n < 5", [1, 2]),
        ("length(wide.name) = 2 AND n > 2", [3, 4]),
        ("lines[3] = 5", [0]),
        ("lines[-2] IN (4, 5)", [0]),
        ("lines[3] = (SELECT 5)", [0]),
        ("lines[3] > 4.5", [0]),
        ("EXISTS (SELECT 1 FROM unnest(lines) u(l) WHERE u.l = 5)", [0]),
        ("EXISTS (SELECT 1 FROM (SELECT unnest(lines) AS l) WHERE 5 BETWEEN l AND 6)", [0]),
        ("EXISTS (SELECT 1 FROM (SELECT lines[1].qty AS q) WHERE q = 2)", [0]),
        ("wide.name = 'w3'", [3]),
        ("wide.k1 = 'v' AND n > 2", [3, 4]),
        ("_doc.wide.name = 'w1'", [1]),
    ],
)
async def test_conditions_on_fields(service: Service, table: str, condition: str, expected: list[int]) -> None:
    rows = [[number] for number in expected]
    assert await service.rows(f"SELECT n FROM {table} WHERE {condition} ORDER BY n") == rows
    whole = f"SELECT n FROM (SELECT n, ({condition}) AS kept FROM {table}) WHERE kept ORDER BY n"
    assert await service.rows(whole) == rows


async def test_the_length_of_an_elements_field_is_that_of_its_text(service: Service) -> None:
    lengths = "SELECT n, length(u.l.sku) FROM fld_json, unnest(lines) AS u(l) ORDER BY ALL"
    assert await service.rows(lengths) == [
        *([0, 1], [0, None], [0, None], [0, None], [1, 1], [1, None], [2, 1], [2, None]),
    ]


async def test_a_field_that_is_cast_to_json_stays_what_it_is(service: Service) -> None:
    rows = await service.rows("SELECT wide.name::JSON, TRY_CAST(lines[1].sku AS JSON) FROM fld_json ORDER BY n LIMIT 2")
    assert rows == [['"w0"', '"K"'], ['"w1"', '"M"']]


@pytest.mark.parametrize("table", ["fld_json", "fld_texts"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT unnest(lines).sku AS sku FROM @",
        "SELECT l.sku FROM (SELECT unnest(lines) AS l FROM @)",
        "SELECT u.l.sku FROM @, unnest(lines) AS u(l)",
        "SELECT l.sku FROM @, LATERAL (SELECT unnest(lines) AS l)",
    ],
)
async def test_elements_have_fields(service: Service, table: str, sql: str) -> None:
    rows = await service.rows(f"SELECT sku FROM ({sql.replace('@', table)}) WHERE sku IS NOT NULL ORDER BY sku")
    assert rows == [["7"], ["K"], ["M"]]


@pytest.mark.parametrize(("condition", "counted"), [("lines[1].qty = 2", "lines[].qty"), ("lines[3] = 5", "lines[]")])
async def test_what_is_no_number_is_counted(service: Service, condition: str, counted: str) -> None:
    result = await service.run(f"SELECT n FROM fld_json WHERE {condition}")
    assert result.rows == [[0]]
    assert any(f"{counted} of" in warning for warning in result.warnings), result.warnings
