"""An attribute that holds numbers in some items and texts in others is asked for as either."""

from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import NotEvaluated
from mcp_server.domain.schema import AttributeType, Column, ColumnType, TypeKind
from mcp_server.engine.no_numbers import no_numbers
from tests.mcp_server.adapters.relations import relation
from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio

VALUES: list[dict[str, Any]] = [
    {"N": "2705"},
    {"S": "2705"},
    {"S": "2705-A"},
    {"N": "-3.5"},
    {"S": ""},
    {"NULL": True},
    {"S": "1e3"},
    {"N": "99999999999999999999"},
    {"BOOL": True},
    {"N": "9007199254740993"},
    {"N": "0.10000000000000001"},
]


def within() -> list[dict[str, Any]]:
    """Items with a text among numbers in maps and lists, and one in the place of a map."""
    zips: list[dict[str, Any]] = [{"N": "150"}, {"S": "0150"}, {"N": "151"}, {"S": "0150-A"}]
    floors: list[dict[str, Any]] = [{"N": "3"}, {"N": "4"}, {"S": "ground"}]
    return [
        {
            "pk": {"S": str(number)},
            "m": {"M": {"zip": zips[number]}},
            "lines": {"L": [{"M": {"qty": [{"N": "1"}, {"N": "2"}, {"S": "many"}, {"S": ""}][number]}}]},
            "tags": {"L": [{"S": "7.4"}, [{"N": "7"}, {"S": "x"}, {"S": "7"}, {"BOOL": True}][number]]},
            "place": {
                "M": {
                    "city": {"S": "Oslo"},
                    "floor": floors[number],
                    "lines": {"L": [{"M": {"sku": {"S": sku}}}]},
                    "geo": {"M": {"name": {"S": "x"}}},
                }
            }
            if number < 3
            else {"S": "nowhere"},
        }
        for number, sku in enumerate("JKLM")
    ]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.create("mix_within", within())
    await service.create("mix_codes", [{"pk": {"S": f"p{i}"}, "code": value} for i, value in enumerate(VALUES)])
    far = {
        "huge": {"N": "1E+100"},
        "close": {"N": "0.10000000000000001"},
        "near": {"N": "0.1"},
        "tiny": {"N": "1E-30"},
        "text": {"S": "2705-A"},
    }
    await service.create("mix_far", [{"pk": {"S": name}, "code": value} for name, value in far.items()])
    codes: list[dict[str, Any]] = [
        *({"N": "7"}, {"S": "7"}, {"S": "7.4"}, {"S": "x"}, {"N": "8.5"}, {"NULL": True}),
        *({"S": "100000000000000000000000000007"}, {"N": "1000000000000000000000"}),
    ]
    numbers = ["7", "8", "99"]
    exact = ["7.0", "8.5", "100000000000000000000000000008"]
    await service.create("mix_joined", [{"pk": {"S": f"p{i}"}, "code": value} for i, value in enumerate(codes)])
    await service.create(
        "mix_numbers",
        [
            {"pk": {"S": f"n{i}"}, "number": {"N": numbers[i]}, "exact": {"N": exact[i]}, "m": {"M": {"n": {"N": "7"}}}}
            for i in range(3)
        ],
    )
    await service.tables.create("mix_keys", (("code", "N"),))
    await service.put("mix_keys", [{"code": {"N": number}} for number in numbers])
    await service.create("mix_late", [{"pk": {"S": f"p{i}"}, "n": {"N": str(i)}} for i in range(5)])


@pytest.mark.complaint(19)
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("code = 2705", ["p0", "p1"]),
        ("2705 = code", ["p0", "p1"]),
        ("code = '2705'", ["p0", "p1"]),
        ("code = '2705-A'", ["p2"]),
        ("code <> 2705", ["p10", "p3", "p6", "p7", "p9"]),
        ("code > 100", ["p0", "p1", "p6", "p7", "p9"]),
        ("code BETWEEN -4 AND (1000)", ["p10", "p3", "p6"]),
        ("code IN (2705, -3.5)", ["p0", "p1", "p3"]),
        ("code = 2704 + 1", ["p0", "p1"]),
        ("code IN (CAST('2705' AS INT), -7 * 0.5)", ["p0", "p1", "p3"]),
        ("(-4 + 0) = code", []),
        ("code IN ('2705-A', '')", ["p2", "p4"]),
        ("code IS NULL", ["p5"]),
        ("d.code = 1000", ["p6"]),
        ("code = 'true'", ["p8"]),
        ("code = 9007199254740991", []),
        ("code = 0.1", []),
        ("code IN (0.1, 1000)", ["p6"]),
        ("code IS NOT DISTINCT FROM 2705", ["p0", "p1"]),
        ("EXISTS (SELECT 1 FROM mix_late l WHERE d.code = 2705 AND l.n = 1)", ["p0", "p1"]),
    ],
)
async def test_it_is_found_by_number_and_by_text(service: Service, condition: str, found: list[str]) -> None:
    result = await service.run(f"SELECT pk FROM mix_codes d WHERE {condition} ORDER BY pk")
    assert [row[0] for row in result.rows] == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("code = (SELECT 7)", ["p0", "p1"]),
        ("(SELECT 7) = code", ["p0", "p1"]),
        ("code = (SELECT min(number) FROM mix_numbers)", ["p0", "p1"]),
        ("code = (SELECT max(exact) FROM mix_numbers)", []),
        ("code = (SELECT avg(exact) FROM mix_numbers WHERE exact < 8)", ["p0", "p1"]),
        ("code <> (SELECT 7)", ["p2", "p4", "p6", "p7"]),
        ("code > (SELECT min(number) FROM mix_numbers)", ["p2", "p4", "p6", "p7"]),
        ("code IN (SELECT number FROM mix_numbers)", ["p0", "p1"]),
        ("code IN (SELECT exact FROM mix_numbers)", ["p0", "p1", "p4"]),
        ("code IN (SELECT number FROM mix_numbers UNION SELECT 8)", ["p0", "p1"]),
        ("code NOT IN (SELECT number FROM mix_numbers)", ["p2", "p4", "p6", "p7"]),
        ("code = ANY (SELECT number FROM mix_numbers)", ["p0", "p1"]),
        ("code IN (7, NULL)", ["p0", "p1"]),
        ("7 IN (code, (SELECT 9))", ["p0", "p1"]),
        ("7 BETWEEN code AND 8", ["p0", "p1"]),
        ("coalesce(code, '0') = 7", ["p0", "p1"]),
        ("coalesce(code, '0') = 0", ["p5"]),
        ("ifnull(code, 'x') = (SELECT 7)", ["p0", "p1"]),
        ("CASE WHEN pk < 'p9' THEN code ELSE 'x' END = 7", ["p0", "p1"]),
        ("CASE code WHEN 7 THEN true END", ["p0", "p1"]),
        ("nullif(code, 'x') = 7", ["p0", "p1"]),
        ("EXISTS (SELECT 1 FROM mix_numbers n WHERE n.number = d.code)", ["p0", "p1"]),
        ("EXISTS (SELECT 1 FROM mix_numbers n WHERE n.exact = d.code)", ["p0", "p1", "p4"]),
        ("EXISTS (SELECT 1 FROM mix_numbers n WHERE n.m.n = d.code)", ["p0", "p1"]),
        ("EXISTS (SELECT 1 FROM mix_numbers n WHERE d.code = n.number + 0.4)", ["p2"]),
        ("7 = (SELECT max(j.code) FROM mix_joined j WHERE j.pk = d.pk)", ["p0", "p1"]),
        ("7 IN (SELECT code FROM mix_joined j WHERE j.pk = d.pk)", ["p0", "p1"]),
        ("7 IN (SELECT code FROM mix_joined j WHERE j.pk = d.pk GROUP BY code ORDER BY code)", ["p0", "p1"]),
        ("pk IN (SELECT k FROM (SELECT pk k, max(code) c FROM mix_joined GROUP BY pk) WHERE c = 7)", ["p0", "p1"]),
        ("pk IN (SELECT pk FROM mix_joined GROUP BY pk HAVING min(code) = 7)", ["p0", "p1"]),
        (
            "pk IN (SELECT k FROM (SELECT pk k, lag(code) OVER (ORDER BY pk) c FROM mix_joined) WHERE c = 7)",
            ["p1", "p2"],
        ),
    ],
)
async def test_it_is_compared_value_by_value_with_any_number(
    service: Service, condition: str, found: list[str]
) -> None:
    """'7.4' is not 7, to which DuckDB would round it; nor do texts that are no numbers break a condition."""
    result = await service.run(f"SELECT pk FROM mix_joined d WHERE {condition} ORDER BY pk")
    assert [row[0] for row in result.rows] == found


@pytest.mark.parametrize(
    ("joined", "found"),
    [
        ("mix_joined a JOIN mix_numbers b ON a.code = b.number", ["p0", "p1"]),
        ("mix_joined a JOIN mix_numbers b ON b.number = a.code AND b.pk < 'z'", ["p0", "p1"]),
        ("mix_joined a JOIN mix_numbers b ON a.code = b.exact", ["p0", "p1", "p4"]),
        ("mix_joined a JOIN mix_numbers b ON a.code > b.number AND b.number = 7", ["p2", "p4", "p6", "p7"]),
        ("mix_joined a, mix_numbers b WHERE a.code = b.number", ["p0", "p1"]),
        ("mix_joined a JOIN mix_keys b USING (code)", ["p0", "p1"]),
        ("mix_keys b JOIN mix_joined a USING (code)", ["p0", "p1"]),
        ("mix_joined a NATURAL JOIN mix_keys b", ["p0", "p1"]),
        ("mix_joined a SEMI JOIN mix_keys b USING (code)", ["p0", "p1"]),
        ("mix_joined a JOIN (SELECT number AS n FROM mix_numbers UNION SELECT 8) b ON a.code = b.n", ["p0", "p1"]),
        ("mix_joined a JOIN (SELECT count(*) + 4 AS n FROM mix_numbers) b ON a.code = b.n", ["p0", "p1"]),
        ("(SELECT pk, code AS c FROM mix_joined) a JOIN mix_numbers b ON a.c = b.number", ["p0", "p1"]),
    ],
)
async def test_it_is_joined_with_numbers_value_by_value(service: Service, joined: str, found: list[str]) -> None:
    result = await service.run(f"SELECT a.pk FROM {joined} ORDER BY a.pk")
    assert [row[0] for row in result.rows] == found
    assert any("no number and matched" in warning for warning in result.warnings), result.warnings


async def test_what_is_computed_of_it_is_a_text_like_any_other(service: Service) -> None:
    with pytest.raises(Failure, match="Could not convert"):
        await service.run("SELECT pk FROM mix_joined WHERE trim(code) = 7")
    cast = "SELECT pk FROM mix_joined WHERE TRY_CAST(trim(code) AS DOUBLE) = 7 ORDER BY pk"
    assert await service.rows(cast) == [["p0"], ["p1"]]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("code <> 0.1", ["close", "huge", "tiny"]),
        ("code IS DISTINCT FROM 0.1", ["close", "huge", "text", "tiny"]),
        ("code = 0", ["tiny"]),
        ("code IS DISTINCT FROM 0", ["close", "huge", "near", "text"]),
        ("NOT code = 5", ["close", "huge", "near", "tiny"]),
        ("code NOT IN (5, 0.1)", ["close", "huge", "tiny"]),
        ("(code = 5) IS NULL", ["text"]),
        ("(code = 5) = false", ["close", "huge", "near", "tiny"]),
        ("CASE WHEN code = 5 THEN false WHEN NOT code = 5 THEN true END", ["close", "huge", "near", "tiny"]),
        ("code > 1000", ["huge"]),
    ],
)
async def test_it_equals_a_number_or_does_not_also_where_decimal_does_not_carry_it(
    service: Service, condition: str, found: list[str]
) -> None:
    """What no DECIMAL(38, 18) holds is a number all the same, and `<>` is the opposite of `=`."""
    assert await service.rows(f"SELECT pk FROM mix_far WHERE {condition} ORDER BY pk") == [[pk] for pk in found]


async def test_the_shares_and_the_rule_are_told(service: Service) -> None:
    warning, _ = (await service.run("SELECT pk FROM mix_codes WHERE code = 2705")).warnings
    assert "also holds S in 40%" in warning
    assert "those that are no numbers do not match" in warning


@pytest.mark.complaint(19)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pk FROM mix_codes WHERE code = 2705",
        "SELECT count(*) FROM mix_codes WHERE code > 100",
        "SELECT count(*) FROM mix_codes a JOIN mix_codes b USING (pk) WHERE a.code > 100",
        "SELECT pk, CASE WHEN code > 3 THEN 1 END FROM mix_codes",
        "WITH c AS (SELECT pk FROM mix_codes WHERE code < 5) SELECT count(*) FROM c",
        "WITH c AS (SELECT * FROM mix_codes) SELECT count(*) FROM c WHERE code < 5",
        "SELECT count(*) FROM (SELECT pk, code AS postcode FROM mix_codes) d WHERE d.postcode BETWEEN 1 AND 3000",
        "WITH a AS (SELECT code FROM mix_codes), b AS (SELECT code c FROM a GROUP BY code) SELECT * FROM b WHERE c = 5",
    ],
)
async def test_what_is_no_number_is_counted(service: Service, statement: str) -> None:
    """Never a silent NULL: '2705-A', '' and true are none."""
    warnings = (await service.run(statement)).warnings
    counted = [warning for warning in warnings if "no number and matched" in warning]
    assert counted == [
        'Of the values of "code" of "mix_codes" that were read, 3 are no number and matched no condition on numbers.'
    ]


@pytest.mark.parametrize("operation", ["UNION ALL", "UNION", "INTERSECT"])
async def test_it_is_found_by_number_through_set_operations(service: Service, operation: str) -> None:
    both = f"SELECT pk, code FROM mix_codes {operation} SELECT pk, code FROM mix_codes"
    for sql in (
        f"SELECT DISTINCT pk FROM ({both}) WHERE code = 2705",
        f"WITH q AS ({both}), r AS (SELECT pk AS p, code AS c FROM q) SELECT DISTINCT p FROM r WHERE c = 2705",
        f"SELECT DISTINCT pk FROM (SELECT 'none' AS pk, '2705-A' AS code UNION ALL ({both})) WHERE code = 2705",
        f"SELECT DISTINCT pk FROM (({both}) UNION ALL SELECT 'none', '2705.4') WHERE code = 2705",
    ):
        assert sorted(await service.rows(sql)) == [["p0"], ["p1"]], sql
    recursive = "WITH RECURSIVE q AS (SELECT pk, code FROM mix_codes UNION SELECT pk, code FROM q) SELECT pk FROM q"
    assert sorted(await service.rows(f"{recursive} WHERE code = 2705")) == [["p0"], ["p1"]]


async def test_it_is_found_by_number_through_subqueries(service: Service) -> None:
    nested = "WITH c AS (SELECT * FROM mix_codes), d AS (SELECT pk, code AS n FROM c LIMIT 100) "
    assert await service.rows(nested + "SELECT pk FROM d WHERE n = 2705 ORDER BY pk") == [["p0"], ["p1"]]
    for renamed in (
        "WITH d(code, pk) AS (SELECT pk, code FROM mix_codes) SELECT code FROM d WHERE pk = 2705 ORDER BY 1",
        "SELECT code FROM (SELECT pk, code FROM mix_codes) d(code, pk) WHERE pk = 2705 ORDER BY 1",
    ):
        assert await service.rows(renamed) == [["p0"], ["p1"]]
        with pytest.raises(Failure, match="Could not convert"):  # the texts of the key
            await service.run(renamed.replace("pk = 2705", "code = 2705"))
    with pytest.raises(Failure, match=r"compare|convert"):  # what an expression hands on is a text like any other
        await service.run("SELECT * FROM (SELECT lower(code) n FROM mix_codes) d WHERE n = 2705")


@pytest.mark.parametrize("statement", ["SELECT code FROM mix_codes", "SELECT pk FROM mix_codes WHERE code = '2705'"])
async def test_where_no_number_is_asked_for_none_is_missed(service: Service, statement: str) -> None:
    assert not any("no number and matched" in warning for warning in (await service.run(statement)).warnings)


def test_numbers_are_what_duckdb_takes_for_them() -> None:
    texts = [
        *(
            "1",
            "-1",
            "+1",
            "1.5",
            ".5",
            "5.",
            "1e3",
            "1E+3",
            "1e-3",
            " 1 ",
            "\t1",
            "1_000",
            "1.5_5",
            "inf",
            "-Infinity",
            "NaN",
        ),
        *("", " ", "-", ".", "e3", "1e", "1,5", "0x1F", "1 2", "1-A", "true", "١", "1__0", "_1", "--1", "1.2.3", "one"),
    ]
    column = Column("code", ColumnType(TypeKind.VARCHAR), frozenset({AttributeType.NUMBER, AttributeType.STRING}))
    asked = replace(relation([column]), as_numbers=frozenset({("code", ())}))
    for text in texts:
        ((is_none,),) = duckdb.execute("SELECT TRY_CAST(? AS DOUBLE) IS NULL", [text]).fetchall()
        page = pa.record_batch([pa.array([text, None])], names=["c0"])
        assert no_numbers(asked, page) == {'"code"': int(is_none)}, text


async def test_an_integer_that_double_does_not_carry_is_not_compared_as_one(service: Service) -> None:
    for number in ("99999999999999999998", "9007199254740992"):
        with pytest.raises(Failure, match="Could not convert"):
            await service.run(f"SELECT pk FROM mix_codes WHERE code = {number}")
    assert await service.rows("SELECT pk FROM mix_codes WHERE code = '99999999999999999999'") == [["p7"]]


@pytest.mark.complaint(2)
async def test_one_late_text_does_not_break_everybodys_filter(service: Service) -> None:
    assert await service.rows("SELECT count(*) FROM mix_late WHERE n > 1") == [[3]]
    await service.put("mix_late", [{"pk": {"S": "late"}, "n": {"S": "many"}}])
    assert await service.rows("SELECT count(*) FROM mix_late WHERE n > 1") == [[3]]
    result = await service.run("SELECT pk FROM mix_late WHERE n >= 3 OR pk = 'late' ORDER BY pk")
    assert result.rows == [["late"], ["p3"], ["p4"]]
    assert any("also holds S" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("SELECT pk, place.city FROM mix_within", 1),
        ("SELECT count(*) FROM mix_within WHERE place.city IS NULL", 1),
        ("SELECT count(*) FROM (SELECT place AS p FROM mix_within) q WHERE q.p['geo'].name = 'x'", 1),
        ("SELECT count(*) FROM mix_within a JOIN mix_within b USING (pk) WHERE a.place.floor > 3", 1),
        ("SELECT place.city FROM mix_within WHERE pk = '0'", 0),
        ("SELECT place FROM mix_within", 0),
        ("SELECT place->>'city' FROM mix_within", 0),
    ],
)
async def test_what_is_no_map_is_counted_where_a_field_is_read(service: Service, statement: str, counted: int) -> None:
    """Never a silent NULL: 'nowhere' has no city."""
    warnings = (await service.run(statement)).warnings
    told = 'Of the values of "place" of "mix_within" that were read, 1 is no map: its fields are NULL.'
    assert [warning for warning in warnings if "no map" in warning] == [told] * counted


@pytest.mark.parametrize("late", [{"S": "nowhere"}, {"L": [{"N": "1"}]}])
@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT pk, m.zip FROM {} WHERE pk >= 'p8' OR pk < 'm'", [["late", None], ["p8", "8"], ["p9", "9"]]),
        ("SELECT count(*) FROM {} WHERE m.zip > 5", [[4]]),
        ("SELECT count(*) FROM {} WHERE m.zip IS NULL", [[1]]),
        ("SELECT count(m.zip), count(m.geo.lat) FROM {}", [[10, 10]]),
        ("SELECT count(*) FROM {} a JOIN {} b ON a.m.zip = b.m.zip", [[10]]),
    ],
)
async def test_what_is_late_and_no_map_is_counted_at_once(
    service: Service, statement: str, rows: list[list[Any]], late: dict[str, Any]
) -> None:
    """Of a field alone DynamoDB would return nothing for it, as if the map were missing: a silent NULL."""
    name = "mix_no_map"
    sql = statement.replace("{}", name) + " ORDER BY 1"
    maps: list[dict[str, Any]] = [
        {"M": {"zip": {"N": f"{n}"}, "geo": {"M": {"lat": {"N": "1"}}}, "other": {"S": "x"}}} for n in range(10)
    ]
    await service.create(name, [{"pk": {"S": f"p{n}"}, "m": one} for n, one in enumerate(maps)])
    assert not any("no map" in warning for warning in (await service.run(sql)).warnings)
    await service.put(name, [{"pk": {"S": "late"}, "m": late}])
    counted = f'Of the values of "m" of "{name}" that were read, 1 is no map: its fields are NULL.'
    for _ in range(2):  # the second time it is known
        result = await service.run(sql)
        assert result.rows == rows
        assert counted in result.warnings
    await service.tables.drop(name)
    await service.catalog.describe(service.schemas.by_name["shop"], name, "force")


@pytest.mark.complaint(2)
@pytest.mark.parametrize(
    ("statement", "rows", "told"),
    [
        ("SELECT pk FROM @ WHERE m.city = 'c3'", [["p3"]], None),
        ("SELECT pk FROM @ WHERE m['city'] LIKE '%3'", [["p3"]], None),
        (
            "SELECT pk FROM @ a WHERE EXISTS (SELECT 1 FROM @ b WHERE b.m.city = a.other AND a.pk < 'p1')",
            [["p0"]],
            None,
        ),
        ("SELECT m.city FROM @ WHERE pk IN ('late', 'p3') ORDER BY pk", [['{"name":"x"}'], ["c3"]], None),
        ("SELECT m.city, count(*) FROM @ GROUP BY m.city HAVING m.city = 'c3'", [["c3", 1]], None),
        ("SELECT c FROM (SELECT m.city AS c FROM @) WHERE c = 'c3'", [["c3"]], None),
        ("SELECT count(c.name), max(c.name) FROM (SELECT m.city AS c FROM @)", [[1, "x"]], "10 are no map"),
        ("SELECT max(m.city.name) FROM @", [["x"]], 'm.city of "mix_maps" that were read, 10 are no map'),
        ("SELECT count(*) FROM @ WHERE m.zip > 5", [[4]], 'm.zip of "mix_maps" that were read, 1 is no number'),
        ("SELECT count(*) FROM @ WHERE m.zip = 7", [[1]], 'm.zip of "mix_maps" that were read, 1 is no number'),
        ("SELECT max(deep.a.b) FROM @", [["b9"]], 'deep.a of "mix_maps" that were read, 1 is no map'),
        ("SELECT count(*) FROM @ WHERE deep.a.b IS NULL", [[1]], 'deep.a of "mix_maps" that were read, 1 is no map'),
        ("SELECT max(lines[1].sku) FROM @", [["s9"]], 'lines[] of "mix_maps" that were read, 1 is no map'),
        (
            "SELECT max(l.sku) FROM (SELECT unnest(lines) AS l FROM @)",
            [["s9"]],
            'lines[] of "mix_maps" that were read, 1',
        ),
        (
            "SELECT count(m.tags[1]) FROM @",
            [[10]],
            'm.tags of "mix_maps" that were read, 1 is no list: it has no elements.',
        ),
        ("SELECT count(t) FROM (SELECT unnest(m.tags) AS t FROM @)", [[10]], 'm.tags of "mix_maps" that were read, 1'),
        (
            "SELECT count(words[1]) FROM @",
            [[10]],
            'Of the values of "words" of "mix_maps" that were read, 1 is no list',
        ),
        ("SELECT count(t) FROM @, unnest(words) AS u(t)", [[10]], '"words" of "mix_maps" that were read, 1 is no list'),
        ("SELECT sum(len(words)) FROM @ WHERE pk <> 'late'", [[10]], None),
        ("SELECT max(geo.a.b.c) FROM @", [["c9"]], 'geo.a of "mix_maps" that were read, 1 is no map'),
    ],
)
async def test_what_is_late_within_maps_and_lists_breaks_no_filter_and_is_counted(
    service: Service, statement: str, rows: list[list[Any]], told: str | None
) -> None:
    """A part that holds maps and texts is JSON, in which a text has quotes: that is nobody's business."""

    def item(number: int) -> dict[str, Any]:
        return {
            "pk": {"S": f"p{number}"},
            "other": {"S": "c3"},
            "m": {"M": {"city": {"S": f"c{number}"}, "zip": {"N": f"{number}"}, "tags": {"L": [{"S": "t"}]}}},
            "words": {"L": [{"S": "w"}]},
            "deep": {"M": {"a": {"M": {"b": {"S": f"b{number}"}}}}},
            "lines": {"L": [{"M": {"sku": {"S": f"s{number}"}}}]},
            "geo": {"M": {"a": {"M": {"b": {"M": {"c": {"S": f"c{number}"}}}}}}},
        }

    name = "mix_maps"
    sql = statement.replace("@", name)
    await service.create(name, [item(number) for number in range(10)])
    await service.run(sql.replace("c.name", "c").replace("city.name", "city"))
    late = {
        "pk": {"S": "late"},
        "m": {"M": {"city": {"M": {"name": {"S": "x"}}}, "zip": {"M": {"a": {"N": "1"}}}, "tags": {"S": "none"}}},
        "words": {"S": "none"},
        "deep": {"M": {"a": {"S": "none"}}},
        "lines": {"L": [{"S": "none"}]},
        "geo": {"S": '{"a":"none"}'},
    }
    await service.put(name, [late])
    result = await service.run(sql)
    assert result.rows == rows
    assert told is None or any(told in warning for warning in result.warnings), result.warnings
    await service.tables.drop(name)
    await service.catalog.describe(service.schemas.by_name["shop"], name, "force")


async def test_after_a_late_text_it_is_told_how_to_compute(service: Service) -> None:
    numbers = [{"pk": {"S": f"p{n}"}, "n": {"N": f"{n}.5"}, "other": {"S": "x"}} for n in range(4)]
    await service.create("mix_sums", numbers)
    assert await service.rows("SELECT sum(n), max(n) FROM mix_sums") == [["8.0", "3.5"]]
    await service.put("mix_sums", [{"pk": {"S": "late"}, "n": {"S": "n/a"}, "other": {"S": "y"}}])

    for computed, meant in (
        ("sum(n)", "sum(TRY_CAST(n AS DOUBLE))"),
        ("sum( s.N )+avg(n)", "sum( TRY_CAST(s.N AS DOUBLE) )+avg(TRY_CAST(n AS DOUBLE))"),
        ("max(n * 2)", "max(TRY_CAST(n AS DOUBLE) * 2)"),
        ("max(round(n))", "max(round(TRY_CAST(n AS DOUBLE)))"),
        ("max(sinh(n))", "max(sinh(TRY_CAST(n AS DOUBLE)))"),
        ("sum(CAST(n AS DECIMAL(38, 1)))", "sum(CAST(TRY_CAST(n AS DOUBLE) AS DECIMAL(38, 1)))"),
        ("sum(n::DOUBLE), count(n)", "sum(TRY_CAST(n AS DOUBLE)::DOUBLE), count(n)"),
    ):
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT {computed} FROM mix_sums s WHERE pk <> $1", parameters=["x"])
        assert isinstance(failed.value.fact, NotEvaluated)
        assert failed.value.fact.texts == ("n",)
        assert failed.value.meant is not None
        assert failed.value.meant.statement == f"SELECT {meant} FROM mix_sums s WHERE pk <> $1"
        assert (await service.run(failed.value.meant.statement, parameters=["x"])).rows
    for told in ("sum(other)", "upper(n) + 1 + other", "sum(a.x) FROM (SELECT n AS x FROM mix_sums) a --"):
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT {told} FROM mix_sums")
        assert failed.value.meant is None
    result = await service.run("SELECT max(n) FROM mix_sums")
    assert result.rows == [["n/a"]]
    assert any("TRY_CAST(n AS DOUBLE) has the numbers" in warning for warning in result.warnings)


@pytest.mark.parametrize("parameter", [2705, 2705.0, "2705"])
async def test_a_parameter_is_compared_as_what_it_is(service: Service, parameter: object) -> None:
    for _ in range(3):  # from the third time on, the plan may have been kept
        rows = await service.rows("SELECT pk FROM mix_codes WHERE code = ? ORDER BY 1", parameters=[parameter])
        assert rows == [["p0"], ["p1"]]


@pytest.mark.complaint(2)
@pytest.mark.parametrize(
    ("condition", "found", "counted"),
    [
        ("m.zip = 150", ["0", "1"], "m.zip"),
        ("m.zip > 100", ["0", "1", "2"], "m.zip"),
        ("m['zip'] IN (150, 151)", ["0", "1", "2"], "m.zip"),
        ("m.zip <> 150", ["2"], "m.zip"),
        ("m.zip = '0150-A'", ["3"], None),
        ("lines[1].qty >= 2", ["1"], "lines[].qty"),
        ("tags[2] = 7", ["0", "2"], "tags[]"),
        ("tags[-1] = 7", ["0", "2"], "tags[]"),
        ("tags[2:3][1] < 7.2 AND tags[1 + 1] IS DISTINCT FROM 7.4", ["0", "2"], "tags[]"),
        ("EXISTS (SELECT 1 FROM unnest(tags) u(t) WHERE u.t = 7)", ["0", "2"], "tags[]"),
        ("NOT EXISTS (SELECT 1 FROM unnest(tags) u(t) WHERE u.t BETWEEN 6 AND 7.2)", ["1", "3"], "tags[]"),
        ("EXISTS (SELECT 1 FROM unnest(tags) WITH ORDINALITY u(t, o) WHERE u.t = 7 AND u.O = 2)", ["0", "2"], "tags[]"),
        ("EXISTS (SELECT 1 FROM unnest(lines) u(l) WHERE u.l.qty > 1)", ["1"], "lines[].qty"),
        ("EXISTS (SELECT 1 FROM (SELECT unnest(tags) AS t) WHERE t < 7.2)", ["0", "2"], "tags[]"),
        ("EXISTS (SELECT 1 FROM (SELECT m.zip AS z) WHERE z <= 150)", ["0", "1"], "m.zip"),
        ("place.city = 'Oslo'", ["0", "1", "2"], None),
        ("place['city'] LIKE 'O%'", ["0", "1", "2"], None),
        ("place->>'city' = 'Oslo'", ["0", "1", "2"], None),
        ("place.floor = 3", ["0"], "place.floor"),
        ("place.floor < 10 AND place.city = 'Oslo'", ["0", "1"], "place.floor"),
        ("place.lines[1].sku = 'K'", ["1"], None),
        ("place.geo.name = 'x'", ["0", "1", "2"], None),
        ("(SELECT max(d.place.geo.name) FROM mix_within d) = 'x' AND place.floor > 3", ["1"], "place.floor"),
        ("place = 'nowhere'", ["3"], None),
        ("place.city IS NULL", ["3"], None),
        ("json_extract_string(place, '$.city') = 'Oslo'", ["0", "1", "2"], None),
    ],
)
async def test_one_late_text_within_maps_and_lists_breaks_no_filter(
    service: Service, condition: str, found: list[str], counted: str | None
) -> None:
    """Neither a text among numbers in a map, nor one in the place of a map."""
    name = "mix_within"
    result = await service.run(f"SELECT pk FROM {name} WHERE {condition} ORDER BY pk")
    assert [row[0] for row in result.rows] == found
    warned = [one for one in result.warnings if "no number and matched" in one]
    assert len(warned) == (counted is not None), warned
    assert all(f'Of the values of {counted} of "{name}"' in one for one in warned)
    # The same through a CTE.
    handed_on = await service.run(f"WITH c AS (SELECT * FROM {name}) SELECT pk FROM c WHERE {condition} ORDER BY pk")
    assert handed_on.rows == result.rows
