"""Maps are structs and lists are lists, as far as they have one shape; nothing in them is lost where they have not."""

import json
from typing import Any

import duckdb
import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.columns import UnknownField
from mcp_server.domain.failures.values import NotEvaluated, Trouble
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio


def m(**fields: Any) -> dict[str, Any]:
    """A map."""
    return {"M": fields}


def s(text: str) -> dict[str, Any]:
    """A text."""
    return {"S": text}


def n(number: str) -> dict[str, Any]:
    """A number."""
    return {"N": number}


ORDERS: list[dict[str, Any]] = [
    {
        "pk": s(f"o{number}"),
        "address": m(
            city=s("Oslo" if number % 2 else "Lyon"), geo=m(lat=n("59.9"), **({"lon": n("10")} if number else {}))
        ),
        "lines": {"L": [m(sku=s(f"K{line}"), qty=n(str(line + 1))) for line in range(number)]},
        "scores": {"L": [n("1"), n("2.5"), {"NULL": True}]},
        "mixed": {"L": [n("1"), s("x"), m(a=n("1"))]},
        "odd": {
            "M": {"a b": s("1"), 'q"q': s("2"), "💥": {"BOOL": True}, "select": {"B": b"\x01"}, "x": {"SS": ["b", "a"]}}
        },
        "cases": {"M": {"a": s("1"), "A": s("2")}},
        "empty": {"M": {}},
        "nones": {"L": []},
        "counts": {"M": {f"k{number}_{i}": n("1") for i in range(5)}},
        "value": n("1") if number % 2 else s("one"),
        "leaf": m(v=n("1") if number % 2 else s("one"), d=m(x=n("1")) if number % 2 else s("flat")),
    }
    for number in range(12)
]


STARS: list[dict[str, Any]] = [
    {
        "pk": s(f"s{number}"),
        "city": n(str(7 * number % 5)),
        "b": n("1"),
        "address": m(City=s(f"c{number % 3}"), zip=n(str(number))),
    }
    for number in range(6)
]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.create("nst_orders", ORDERS)
    await service.create("nst_stars", STARS)


async def test_types_have_the_shape_of_the_values(service: Service) -> None:
    described = (await service.browsing().describe_table(ANN, table_name="nst_orders")).table
    assert {column.name: column.type.sql for column in described.columns} == {
        "pk": "VARCHAR",
        "address": "STRUCT(city VARCHAR, geo STRUCT(lat DECIMAL(38,1), lon BIGINT))",
        "cases": "JSON",
        "counts": "JSON",
        "empty": "JSON",
        "leaf": "STRUCT(d JSON, v VARCHAR)",
        "lines": "STRUCT(qty BIGINT, sku VARCHAR)[]",
        "mixed": "JSON",
        "nones": "JSON",
        "odd": 'STRUCT("a b" VARCHAR, "q""q" VARCHAR, "select" JSON, x JSON, "💥" BOOLEAN)',
        "scores": "DECIMAL(38,1)[]",
        "value": "VARCHAR",
    }


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT address.city FROM nst_orders WHERE pk = 'o1'", [["Oslo"]]),
        ("SELECT t.address.geo.lat + 1 FROM nst_orders t WHERE pk = 'o1'", [["60.9"]]),
        ("SELECT address['city'], address['geo']['lon'] FROM nst_orders WHERE pk = 'o1'", [["Oslo", 10]]),
        ("SELECT address FROM nst_orders WHERE pk = 'o0'", [[{"city": "Lyon", "geo": {"lat": "59.9", "lon": None}}]]),
        ("SELECT count(*) FROM nst_orders WHERE address.city = 'Oslo'", [[6]]),
        ("SELECT address.city, count(*) FROM nst_orders GROUP BY ALL ORDER BY 1", [["Lyon", 6], ["Oslo", 6]]),
        ("SELECT unnest(address) FROM nst_orders WHERE pk = 'o1'", [["Oslo", {"lat": "59.9", "lon": 10}]]),
        ("SELECT address.* FROM nst_orders WHERE pk = 'o1'", [["Oslo", {"lat": "59.9", "lon": 10}]]),
        ("SELECT pk, Address.*, 1 FROM nst_orders t WHERE pk = 'o1'", [["o1", "Oslo", {"lat": "59.9", "lon": 10}, 1]]),
        (
            "SELECT address.* EXCLUDE (geo), leaf.* REPLACE (pk AS d) FROM nst_orders WHERE pk = 'o1'",
            [["Oslo", "o1", "1"]],
        ),
        ("SELECT q.city FROM (SELECT address.* FROM nst_orders WHERE pk = 'o1') AS q", [["Oslo"]]),
        (
            "SELECT address.*, count(*) FROM nst_orders WHERE pk < 'o1' GROUP BY ALL",
            [["Lyon", {"lat": "59.9", "lon": None}, 1]],
        ),
        ("SELECT lines[1], lines[2].qty FROM nst_orders WHERE pk = 'o2'", [[{"qty": 1, "sku": "K0"}, 2]]),
        ("SELECT len(lines), lines FROM nst_orders WHERE pk = 'o0'", [[0, []]]),
        ("SELECT sum(l.qty) FROM nst_orders, unnest(lines) AS u(l)", [[286]]),
        (
            "SELECT pk, unnest(lines).sku AS sku FROM nst_orders WHERE pk = 'o2' ORDER BY 2",
            [["o2", "K0"], ["o2", "K1"]],
        ),
        ("SELECT list_sum(scores), scores[2] FROM nst_orders WHERE pk = 'o3'", [["3.5", "2.5"]]),
        ("SELECT address->>'city', address->'geo'->>'lat' FROM nst_orders WHERE pk = 'o1'", [["Oslo", "59.9"]]),
        ("SELECT lines->0->>'sku', json_array_length(lines) FROM nst_orders WHERE pk = 'o2'", [["K0", 2]]),
        ("SELECT a.city FROM (SELECT address AS a FROM nst_orders WHERE pk = 'o1')", [["Oslo"]]),
        (
            'SELECT odd."a b", odd."q""q", odd."💥", odd.x FROM nst_orders WHERE pk = \'o1\'',
            [["1", "2", True, '["a","b"]']],
        ),
        ("SELECT leaf.v FROM nst_orders WHERE pk IN ('o1', 'o2') ORDER BY 1", [["1"], ["one"]]),
        ("SELECT leaf.d FROM nst_orders WHERE pk IN ('o1', 'o2') ORDER BY pk", [['{"x":1}'], ["flat"]]),
        (
            "SELECT mixed, cases, empty, nones FROM nst_orders WHERE pk = 'o1'",
            [['[1,"x",{"a":1}]', '{"A":"2","a":"1"}', "{}", "[]"]],
        ),
        (
            "SELECT o.address.city, p.address.city FROM nst_orders o JOIN nst_orders p ON o.pk = p.pk AND o.pk = 'o1'",
            [["Oslo"] * 2],
        ),
        ("SELECT max(address.geo.lat) FROM nst_orders", [["59.9"]]),
        ("SELECT count(DISTINCT address) FROM nst_orders", [[3]]),
        ("SELECT pk FROM nst_orders WHERE lines IS NULL", []),
    ],
)
async def test_nested_values_are_used_as_in_duckdb(service: Service, sql: str, rows: list[list[Any]]) -> None:
    found = await service.rows(sql)
    assert json.loads(json.dumps(found).replace('": ', '":')) == json.loads(json.dumps(rows).replace('": ', '":'))


@pytest.mark.parametrize(
    ("written", "with_parameters", "parameters"),
    [
        ("scores[2]", "scores[$1]", [2]),
        ("scores[-2]", "scores[$1]", [-2]),
        ("scores[1 + 1]", "scores[$1 + 1]", [1]),
        ("scores[1:2]", "scores[$1:$2]", [1, 2]),
        ("lines[3].sku", "lines[$place].sku", {"place": 3}),
        ("lines[0]", "lines[$1]", [0]),
        ("address['city']", "address[$1]", ["city"]),
        ("mixed[1]", "mixed[$1]", [1]),
    ],
)
async def test_a_subscript_means_the_same_as_a_parameter(
    service: Service, written: str, with_parameters: str, parameters: Any
) -> None:
    statement = "SELECT pk, {0} FROM nst_orders WHERE {0} IS NOT NULL ORDER BY pk".format
    expected = await service.rows(statement(written))
    assert await service.rows(statement(with_parameters), parameters=parameters) == expected
    assert expected or written == "lines[0]"


@pytest.mark.parametrize(
    ("sql", "lists"),
    [
        ("SELECT scores[0] FROM nst_orders", ["scores"]),
        ("SELECT count(*) FROM nst_orders WHERE lines[0].sku = 'K0' OR lines[0].qty > 1", ["lines"]),
        ("SELECT s[$1] FROM (SELECT scores AS s FROM nst_orders)", ["scores"]),
        ("SELECT mixed[0] FROM nst_orders", ["mixed"]),
        ("SELECT scores[1], mixed->0, scores->0, json_extract(mixed, '$[0]') FROM nst_orders", []),
    ],
)
async def test_place_0_of_a_list_is_warned_of(service: Service, sql: str, lists: list[str]) -> None:
    result = await service.run(sql, parameters=[0] if "$1" in sql else None)
    warnings = [one for one in result.warnings if "count from 1" in one]
    assert len(warnings) == len(lists)
    for warning, name in zip(warnings, lists, strict=True):
        assert f'"{name}"' in warning


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("split(pk, '#')[0]", 'split("pk", …)'),
        ("(string_split(lower(pk), '#'))[0]", 'split(lower("pk"), …)'),
        ("split(pk, '#')[1], split_part(pk, '#', 0), split(pk, scores[1]::VARCHAR)[1]", None),
    ],
)
async def test_place_0_of_the_parts_of_a_text_is_warned_of(
    service: Service, expression: str, shown: str | None
) -> None:
    result = await service.run(f"SELECT {expression} FROM nst_orders")
    warnings = [one for one in result.warnings if "count from 1" in one]
    assert len(warnings) == (shown is not None)
    assert all(f" place 0 of {shown} " in warning for warning in warnings)


@pytest.mark.parametrize(
    ("late", "type_", "value"),
    [
        (m(city=s("Rome"), zip=s("1")), "STRUCT(city VARCHAR, zip VARCHAR)", {"city": "Rome", "zip": "1"}),
        (m(city=n("7")), "STRUCT(city VARCHAR)", {"city": "7"}),
        (m(city=m(name=s("x"))), "STRUCT(city JSON)", {"city": '{"name":"x"}'}),
        (m(city={"NULL": True}), "STRUCT(city VARCHAR)", {"city": None}),
        ({"M": {}}, "STRUCT(city VARCHAR)", {"city": None}),
        ({"NULL": True}, "STRUCT(city VARCHAR)", None),
        ({"M": {"city": s("a"), "CITY": s("b")}}, "JSON", '{"CITY":"b","city":"a"}'),
        (
            {"M": {f"k{i}": n("1") for i in range(10, 90)}},
            "JSON",
            json.dumps({f"k{i}": 1 for i in range(10, 90)}, separators=(",", ":")),
        ),
        (s("Rome"), "VARCHAR", "Rome"),
    ],
)
async def test_a_late_item_widens_the_shape(service: Service, late: dict[str, Any], type_: str, value: Any) -> None:
    """The table is sampled before the item is written: nothing of it is lost, and the others are as they were."""
    name = "nst_late"
    await service.create(name, [{"pk": s(f"p{number}"), "a": m(city=s("Oslo"))} for number in range(3)])
    try:
        before = await service.run(f"SELECT a FROM {name}")
        assert before.columns[0].type == "STRUCT(city VARCHAR)"
        await service.put(name, [{"pk": s("late"), "a": late}])
        after = await service.run(f"SELECT a FROM {name} WHERE pk = 'late'")
        assert (after.columns[0].type, after.rows) == (type_, [[value]])
        others = await service.run(f"SELECT a FROM {name} WHERE pk <> 'late'")
        assert len(others.rows) == 3
        assert "Oslo" in str(others.rows[0])
    finally:
        await service.tables.drop(name)
        await service.catalog.describe(service.schemas.by_name["shop"], name, "force")


async def test_a_shape_that_never_settles_is_a_document(service: Service) -> None:
    """Pages of 1 MB, each with fields of its own: no call fails for it."""
    await service.create("nst_wild", [{"pk": s(f"p{number}"), "a": m(first=n("1"))} for number in range(3)])
    await service.run("SELECT count(*) FROM nst_wild WHERE a.first = 1")
    wild = [{"pk": s(f"w{number:04d}"), "a": {"M": {f"f{number}": s("x" * 20_000)}}} for number in range(200)]
    await service.put("nst_wild", wild)
    result = await service.run("SELECT count(a), max(length(CAST(a AS VARCHAR))) > 20000 FROM nst_wild")
    assert result.rows == [[203, True]]
    assert (await service.run("SELECT a FROM nst_wild WHERE pk = 'p1'")).rows in ([['{"first":1}']], [[{"first": 1}]])


UNSHAPED: list[dict[str, Any]] = [
    {
        "pk": s("a"),
        "mixed": {"L": [n("1"), s("x"), m(a={"L": [n("5"), m(b=n("6"))]})]},
        "late": {"L": [n("1"), n("2"), n("3")]},
        "within": m(j={"L": [n("1"), m(b=n("2"))]}),
        "data": {"M": {f"k{number}": n("1") for number in range(80)}},
    },
    {"pk": s("b"), "mixed": {"L": []}, "late": s("no list"), "within": m(j={"L": [n("7")]})},
    {"pk": s("c"), "late": {"SS": ["q", "r"]}},
]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("len(mixed)", [3, 0, None]),
        ("length(mixed)", [3, 0, None]),
        ("array_length(mixed)", [3, 0, None]),
        ("mixed[1]", ["1", None, None]),
        ("mixed[2]", ['"x"', None, None]),
        ("mixed[-1]", ['{"a":[5,{"b":6}]}', None, None]),
        ("mixed[1 + 1]", ['"x"', None, None]),
        ("mixed[1:2]", [["1", '"x"'], [], None]),
        ("mixed[3].a[1]", ["5", None, None]),
        ("mixed[3]['a'][2].b", ["6", None, None]),
        ("len(mixed[3].a)", [2, None, None]),
        ("mixed->0", ["1", None, None]),  # JSON's own operators count from 0, as in DuckDB
        ("len(late)", [3, 7, 2]),
        ("late[1]", ["1", None, '"q"']),
        ("len(within.j)", [2, 1, None]),
        ("within.j[2].b", ["2", None, None]),
        ("data['k7']", ["1", None, None]),
        ("(SELECT count(*) FROM unnest(mixed) AS u(x))", [3, 0, 0]),
        ("(SELECT count(*) FROM unnest(late) AS u(x))", [3, 0, 2]),
    ],
)
async def test_lists_without_one_type_are_lists(service: Service, expression: str, expected: list[Any]) -> None:
    """`a[1]` is the first element and `len(a)` the number of them, whatever the elements of some item are."""
    name = "nst_unshaped"
    if not any(
        table.name == name
        for table in (await service.browsing(listed_tables=5000).list_tables(ANN, refresh="force")).tables
    ):
        await service.create(name, UNSHAPED)
    rows = await service.rows(f"SELECT {expression} FROM {name} ORDER BY pk")
    assert [row[0] for row in rows] == expected
    handed_on = await service.rows(f"WITH c AS (SELECT * FROM {name}) SELECT {expression} FROM c ORDER BY pk")
    assert handed_on == rows


@pytest.mark.parametrize(
    ("condition", "late", "expected"),
    [
        ("len(l) = 2", {"l": s("no list")}, 30),
        ("l[1] = 3", {"l": s("no list")}, 1),
        ("len(r) = 1 AND r[1].a = 1", {"r": {"L": [s("x"), m(a=n("1"))]}}, 30),
    ],
)
async def test_one_late_item_gives_no_list_another_meaning(
    service: Service, condition: str, late: dict[str, Any], expected: int
) -> None:
    items = [
        {"pk": s("p"), "n": n(str(number)), "l": {"L": [n(str(number)), n("2")]}, "r": {"L": [m(a=n("1"))]}}
        for number in range(30)
    ]
    await service.create("nst_turned", items, range_key="n")
    sql = f"SELECT n FROM nst_turned WHERE pk = 'p' AND {condition}"
    begun = await service.run("SELECT n, len(l), len(r) FROM nst_turned WHERE pk = 'p'", max_rows=10)
    plain = await service.run("SELECT n, l FROM nst_turned WHERE pk = 'p'", max_rows=10)
    assert len(await service.rows(sql)) == expected
    await service.put("nst_turned", [{"pk": s("p"), "n": n("30"), **late}])
    assert len(await service.rows(sql)) == expected
    # A page that computes with a column of another type by now would not belong to those before.
    with pytest.raises(Failure) as caught:
        await service.run("SELECT n, len(l), len(r) FROM nst_turned WHERE pk = 'p'", cursor=begun.next_cursor)
    assert caught.value.code is FailureCode.CURSOR_EXPIRED
    # Values that are handed out as they are go on.
    page = await service.run("SELECT n, l FROM nst_turned WHERE pk = 'p'", cursor=plain.next_cursor)
    assert [row[0] for row in page.rows] == list(range(10, 31))
    await service.tables.drop("nst_turned")
    await service.catalog.describe(service.schemas.by_name["shop"], "nst_turned", "force")


async def test_an_unknown_field_is_told(service: Service) -> None:
    with pytest.raises(Failure) as unknown:
        await service.run("SELECT address.town FROM nst_orders")
    assert isinstance(unknown.value.fact, UnknownField)
    assert unknown.value.fact.name == "town"
    with pytest.raises(Failure) as unknown:  # of what is computed, only DuckDB knows the fields
        await service.run("SELECT {'city': pk}.town FROM nst_orders")
    fact = unknown.value.fact
    assert isinstance(fact, NotEvaluated)
    assert "town" in fact.told
    assert fact.trouble is Trouble.NO_FIELD


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT address.* FROM {} ORDER BY pk",
        "SELECT ADDRESS.*, b + 1 AS c FROM {} ORDER BY pk",
        "SELECT address.*, * FROM {} ORDER BY pk",
        "SELECT *, address.* FROM {} ORDER BY pk",
        # The table's columns are meant, not the fields of that name.
        "SELECT address.* FROM {} ORDER BY city, pk",
        "SELECT address.*, city FROM {} ORDER BY city, pk",
        "SELECT address.*, city + 1 AS c FROM {} WHERE city < 3 ORDER BY pk",
        "SELECT address.*, city FROM {} GROUP BY ALL HAVING city > 1 ORDER BY city, address",
        "SELECT address.*, sum(city) OVER (ORDER BY city, pk) FROM {} QUALIFY city > 0 ORDER BY pk",
        "SELECT address.*, (SELECT max(o.pk) FROM {} o WHERE o.city = city) AS c FROM {} ORDER BY pk",
        "SELECT city, address.* RENAME (zip AS code) FROM {} ORDER BY 1, 3",
        "SELECT address.* EXCLUDE (ZIP) FROM {} ORDER BY pk",
        "SELECT address.* REPLACE (b + 1 AS Zip) FROM {} ORDER BY pk",
        "SELECT address.* FROM {} x, (SELECT 1 AS one) y ORDER BY x.pk",
        "SELECT x.pk, address.* FROM {} x JOIN (VALUES ('s1')) y(k) ON x.pk = y.k",
        "SELECT q.zip, q.* EXCLUDE (city) FROM (SELECT address.* FROM {}) q ORDER BY zip",
        "SELECT DISTINCT address.* EXCLUDE (zip) FROM {} ORDER BY 1",
        "WITH q AS (SELECT address.*, pk FROM {} WHERE b = 1) SELECT zip, length(pk) AS c FROM q ORDER BY pk LIMIT 2",
        "SELECT address.* FROM {} UNION ALL SELECT pk, b FROM {} ORDER BY 2, 1",
        "SELECT address.zip, address.* FROM {} AS t ORDER BY t.pk",
        "SELECT address.* FROM {} AS address ORDER BY pk",
        # Refused by both.
        "SELECT address.* FROM {} x, {} y",
        "SELECT address.* EXCLUDE (nope) FROM {}",
        "SELECT city.* FROM {}",
        "SELECT address.* FROM {} x, (SELECT 1 AS address) y",
    ],
)
async def test_the_star_of_a_struct_is_that_of_duckdb(service: Service, sql: str) -> None:
    with duckdb.connect() as oracle:
        oracle.execute(
            "CREATE TABLE nst_stars(pk VARCHAR, address STRUCT(City VARCHAR, zip BIGINT), b BIGINT, city BIGINT)"
        )
        oracle.executemany(
            "INSERT INTO nst_stars VALUES (?, {'City': ?, 'zip': ?}, ?, ?)",
            [(f"s{number}", f"c{number % 3}", number, 1, 7 * number % 5) for number in range(6)],
        )
        statement = sql.replace("{}", "nst_stars")
        try:
            found = oracle.execute(statement)
            expected = [list(row) for row in found.fetchall()]
        except duckdb.Error:
            with pytest.raises(Failure):
                await service.run(statement)
            return
        names = [str(column[0]) for column in found.description]
    result = await service.run(statement)
    assert result.rows == expected
    assert [column.name for column in result.columns] == names


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT address.*, upper(pk) AS zip FROM nst_stars ORDER BY zip",
        "SELECT address.*, city FROM nst_stars, (SELECT 1 AS one)",
        "SELECT address.* FROM (SELECT address FROM nst_stars)",
        "SELECT cases.* FROM nst_orders",
    ],
)
async def test_a_star_that_may_mean_something_else_is_refused(service: Service, sql: str) -> None:
    """Our choice: `unnest(address)` is the same, and says what it is of."""
    with pytest.raises(Failure):
        await service.run(sql)
