"""Whoever looks for a text that a column does not hold is told what it holds."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.schema import Examples
from mcp_server.engine.schemas import Schemas
from mcp_server.surface.tools import structure
from tests.mcp_server.engine.conftest import ANN, Service, browsing_over

pytestmark = pytest.mark.anyio

NATIONS = ["GERMANY", "FRANCE", "PERU", "O'BRIEN"]


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    items = [
        {
            "pk": {"S": f"p{number}"},
            "nation": {"S": NATIONS[number % 4]},
            "status": {"S": "OFP"[number % 3]},
            "note": {"S": f"note {number}"},
            "code": {"N": str(number % 2)},
            "address": {"M": {"country": {"S": NATIONS[number % 4]}, "street": {"S": f"street {number}"}}},
            "lines": {"L": [{"M": {"state": {"S": "OP"[number % 2]}, "sku": {"S": f"s{number % 35}"}}}] * 2},
        }
        for number in range(60)
    ]
    for name in ("uns_people", "uns_masked", "uns_rows"):
        await service.create(name, items)


def told(warnings: tuple[str, ...]) -> list[str]:
    """The warnings about values."""
    return [warning for warning in warnings if warning.startswith("No sampled item")]


@pytest.mark.parametrize(
    ("condition", "warnings"),
    [
        ("nation = 'Germany'", ["has 'Germany' as \"nation\"; there are 'GERMANY'."]),
        ("nation IN ('FRANCE', 'peru')", ["has 'peru' as \"nation\"; there are 'PERU'."]),
        ("status = 'open'", ["has 'open' as \"status\"; there are 'F', 'O', 'P'."]),
        ("nation = 'O''Brian'", ["has 'O''Brian' as \"nation\"; there are 'O''BRIEN'."]),
        ("status = 'open' OR nation = 'PERU'", ["has 'open' as \"status\"; there are 'F', 'O', 'P'."]),
        ("nation = 'GERMANY' AND status = 'O'", []),
        ("note = 'note 99'", []),
        ("nation <> 'Germany'", ["has 'Germany' as \"nation\"; there are 'GERMANY'."]),
        ("nation NOT IN ('Germany', 'PERU')", ["has 'Germany' as \"nation\"; there are 'GERMANY'."]),
        ("nation <> 'GERMANY'", []),
        ("code = 5", []),
        ("pk = 'nobody'", []),
    ],
)
async def test_a_text_that_no_sampled_item_has(service: Service, condition: str, warnings: list[str]) -> None:
    result = await service.run(f"SELECT count(*) FROM uns_people WHERE {condition}")
    assert told(result.warnings) == [f'No sampled item of "uns_people" {text}' for text in warnings]


OPEN = "has 'open' as \"status\"; there are 'F', 'O', 'P'."
GERMANY = "has 'Germany' as \"nation\"; there are 'GERMANY'."
LIKE_OPEN = "has a text LIKE 'Open%' as \"status\"; there are 'F', 'O', 'P'."
LOWER_OPEN = "has 'open' as lower(\"status\"); there are 'F', 'O', 'P'."

ANYWHERE = [
    ("sum(CASE WHEN status = 'open' THEN 1 END)", "status = 'O'", OPEN),
    ("sum(CASE status WHEN 'open' THEN 1 WHEN 'F' THEN 2 END)", "status = 'O'", OPEN),
    ("count(*) FILTER (WHERE status = 'open')", "status = 'O'", OPEN),
    ("count_if(status = 'open')", "status = 'O'", OPEN),
    ("count(if(status = 'open', 1, NULL))", "status = 'O'", OPEN),
    ("count(nullif(status, 'open'))", "status = 'O'", OPEN),
    ("bool_or(status IN ('open', 'F'))", "status = 'O'", OPEN),
    ("bool_or((status, code) IN (('open', 1)))", "status = 'O'", OPEN),
    ("bool_or(status = ANY (['open', 'F']))", "status = 'O'", OPEN),
    ("bool_or(status IS DISTINCT FROM 'open')", "status = 'O'", OPEN),
    ("bool_or('open' IS NOT DISTINCT FROM status)", "status = 'O'", OPEN),
    ("bool_or(status LIKE 'Open%')", "status LIKE 'O%'", LIKE_OPEN),
    ("bool_or(status NOT LIKE 'Open%')", "status NOT LIKE '%O%'", LIKE_OPEN),
    (
        "bool_or(nation ILIKE 'german')",
        "nation ILIKE 'germ%'",
        "has a text ILIKE 'german' as \"nation\"; there are 'GERMANY'.",
    ),
    (
        "bool_or(nation LIKE '!_%' ESCAPE '!')",
        "nation LIKE '_!%' ESCAPE '%'",
        "has a text LIKE '!_%' as \"nation\"; there are 'FRANCE', 'GERMANY', 'O''BRIEN', 'PERU'.",
    ),
    (
        "bool_or(starts_with(nation, 'Ger'))",
        "starts_with(nation, 'GER')",
        "has a text that starts with 'Ger' as \"nation\"; there are 'GERMANY'.",
    ),
    (
        "bool_or(prefix(status, 'open'))",
        "prefix(status, 'O')",
        "has a text that starts with 'open' as \"status\"; there are 'F', 'O', 'P'.",
    ),
    (
        "bool_or(contains(status, 'open'))",
        "contains(nation, 'MAN')",
        "has a text that contains 'open' as \"status\"; there are 'F', 'O', 'P'.",
    ),
    (
        "bool_or(ends_with(status, 'open'))",
        "ends_with(nation, 'U')",
        "has a text that ends with 'open' as \"status\"; there are 'F', 'O', 'P'.",
    ),
    ("bool_or(lower(status) = 'open')", "lower(status) = 'o'", LOWER_OPEN),
    ("bool_or(lower(status) = lower('OPEN'))", "lower(status) = lower('O')", LOWER_OPEN),
    ("bool_or(status = ('op' || 'en'))", "status <> ''", OPEN),
    (
        "bool_or(upper(nation) = 'GERMANIA')",
        "upper(nation) = 'GERMANY'",
        "has 'GERMANIA' as upper(\"nation\"); there are 'GERMANY'.",
    ),
    ("bool_or(max(status) OVER () = 'open')", "true", None),
    ("bool_or(status || '' = 'open')", "true", None),
    ("bool_or(code::VARCHAR = 'open')", "true", None),
]


@pytest.mark.parametrize(
    ("sql", "warning"),
    [
        ("SELECT pk FROM uns_people WHERE status = (SELECT 'open')", OPEN),
        ("SELECT pk FROM uns_people WHERE status IN (SELECT 'open')", OPEN),
        ("SELECT pk FROM uns_people WHERE status IN (SELECT 'O' UNION ALL SELECT 'open')", OPEN),
        ("WITH x AS (SELECT 'open' AS s) SELECT pk FROM uns_people WHERE status = (SELECT s FROM x)", OPEN),
        ("WITH x AS (SELECT 'open' AS s) SELECT pk FROM uns_people, x WHERE s = status", OPEN),
        (
            "WITH x(s) AS (SELECT 'open'), y AS (SELECT s AS z FROM x) SELECT pk FROM uns_people, y WHERE z = status",
            OPEN,
        ),
        ("SELECT pk FROM uns_people JOIN (VALUES ('open'), ('O')) v(s) ON status = s", OPEN),
        ("SELECT pk FROM uns_people JOIN (VALUES (1, 'open')) v(n, s) ON status = v.s AND code = n", OPEN),
        ("SELECT pk FROM uns_people JOIN (SELECT 'open' AS s) v ON lower(status) = v.s", LOWER_OPEN),
        ("SELECT pk FROM uns_people WHERE status = (SELECT 'O')", None),
        ("SELECT pk FROM uns_people JOIN (VALUES ('F'), ('O')) v(s) ON status = s", None),
        ("SELECT pk FROM uns_people WHERE status = (SELECT max(status) FROM uns_masked)", None),
        ("SELECT p.pk FROM uns_people p JOIN uns_masked q ON p.status = q.status", None),
        (
            "WITH RECURSIVE x AS (SELECT 'open' s UNION SELECT s FROM x) SELECT 1 FROM uns_people JOIN x ON s = status",
            None,
        ),
    ],
)
async def test_a_text_may_come_from_a_relation_of_constants(service: Service, sql: str, warning: str | None) -> None:
    result = await service.run(sql)
    assert told(result.warnings) == ([f'No sampled item of "uns_people" {warning}'] if warning else [])


@pytest.mark.parametrize(("select", "right", "warning"), ANYWHERE)
async def test_wherever_a_text_is_looked_for(service: Service, select: str, right: str, warning: str | None) -> None:
    """The same comparison with a text that is there tells nothing."""
    wrong = await service.run(
        f"SELECT {select} FROM uns_people" if "OVER" not in select else "SELECT 1 FROM uns_people"
    )
    assert told(wrong.warnings) == ([f'No sampled item of "uns_people" {warning}'] if warning else [])
    assert told((await service.run(f"SELECT count(*) FILTER (WHERE {right}) FROM uns_people")).warnings) == []


@pytest.mark.parametrize(
    ("sql", "warning"),
    [
        ("SELECT status FROM uns_people GROUP BY status HAVING status = 'open'", OPEN),
        ("SELECT max(status) FROM uns_people GROUP BY code HAVING max(status) = 'open'", OPEN),
        ("SELECT pk FROM uns_people QUALIFY row_number() OVER (ORDER BY pk) < 9 AND status = 'open'", OPEN),
        ("SELECT pk FROM uns_people ORDER BY status = 'open', pk", OPEN),
        ("SELECT p.pk FROM uns_people AS p JOIN uns_people AS q ON p.pk = q.pk AND q.status = 'open'", OPEN),
        ("SELECT s = 'open' FROM (SELECT status AS s FROM uns_people LIMIT 5)", OPEN),
        ("WITH t(s) AS (SELECT status FROM uns_people), u AS (SELECT s AS z FROM t) SELECT z = 'open' FROM u", OPEN),
        (
            "WITH t AS (SELECT lower(status) AS s FROM uns_people) SELECT count(*) FILTER (WHERE s = 'open') FROM t",
            LOWER_OPEN,
        ),
        ("SELECT (SELECT count(*) FROM uns_people WHERE nation = 'Germany') AS n", GERMANY),
        ("SELECT _doc->>'status' = 'open' FROM uns_people", OPEN),
        (
            "SELECT s = 'open' FROM (SELECT status AS s FROM uns_people UNION ALL SELECT nation FROM uns_people)",
            "has 'open' as \"status\" or \"nation\"; there are 'F', 'O', 'P', 'FRANCE', 'GERMANY', 'O''BRIEN', 'PERU'.",
        ),
        ("SELECT s = 'PERU' FROM (SELECT status AS s FROM uns_people UNION ALL SELECT nation FROM uns_people)", None),
        ("SELECT s = 'open' FROM (SELECT status AS s FROM uns_people UNION ALL SELECT 'open')", None),
        ("SELECT s = 'open' FROM (SELECT note AS s FROM uns_people UNION ALL SELECT status FROM uns_people)", None),
        (
            "WITH RECURSIVE t AS (SELECT status FROM uns_people UNION SELECT 'open' FROM t) "
            "SELECT count(*) FROM t WHERE status = 'open'",
            None,
        ),
    ],
)
async def test_wherever_a_column_comes_from(service: Service, sql: str, warning: str | None) -> None:
    result = await service.run(sql)
    assert told(result.warnings) == ([f'No sampled item of "uns_people" {warning}'] if warning else [])


@pytest.mark.parametrize(
    ("condition", "warning"),
    [
        ("address.country = 'Germany'", "has 'Germany' as address.country; there are 'GERMANY'."),
        ("address['country'] IN ('GERMANY', 'peru')", "has 'peru' as address.country; there are 'PERU'."),
        ("address->>'country' = 'Germany'", "has 'Germany' as address.country; there are 'GERMANY'."),
        ("_doc->>'$.address.country' = 'Germany'", "has 'Germany' as address.country; there are 'GERMANY'."),
        ("lower(address.country) = 'germania'", "has 'germania' as lower(address.country); there are 'GERMANY'."),
        (
            "address.country LIKE 'Ger%'",
            "has a text LIKE 'Ger%' as address.country; there are 'GERMANY'.",
        ),
        ("lines[1].state = 'open'", "has 'open' as lines[].state; there are 'O', 'P'."),
        ("CASE lines[2].state WHEN 'open' THEN true END", "has 'open' as lines[].state; there are 'O', 'P'."),
        ("lines[1].state = 'O'", None),
        ("address.country = 'GERMANY'", None),
        ("address.street = 'Broadway'", None),
        ("lines[1].sku = 's99'", None),
    ],
)
async def test_parts_of_maps_and_lists(service: Service, condition: str, warning: str | None) -> None:
    sql = f"SELECT count(*) FILTER (WHERE {condition}) FROM (SELECT *, _doc FROM uns_people)"
    assert told((await service.run(sql)).warnings) == (
        [f'No sampled item of "uns_people" {warning}'] if warning else []
    )


@pytest.mark.parametrize(
    ("condition", "warning"),
    [
        ("lower(status) = 'Open'", "lower(\"status\") has no capitals, so it never matches 'Open'; write 'open'."),
        ("lower(note) <> 'X'", "lower(\"note\") has no capitals, so it never matches 'X'; write 'x'."),
        ("lower(note || pk) = 'x'", None),
        (
            "upper(note) LIKE 'Note%'",
            "upper(\"note\") has no small letters, so it never matches 'Note%'; write 'NOTE%'.",
        ),
        ("upper(note) ILIKE 'Note%'", None),
        ("lower(note) LIKE 'noteX%' ESCAPE 'X'", None),
        ("lower(pk) IN ('p1', 'P2')", "lower(\"pk\") has no capitals, so it never matches 'P2'; write 'p2'."),
        ("lower(note) LIKE 'note 1%'", None),
    ],
)
async def test_a_text_of_the_other_case_matches_nothing(service: Service, condition: str, warning: str | None) -> None:
    result = await service.run(f"SELECT count(*) FROM uns_people WHERE {condition}")
    assert [one for one in result.warnings if "never matches" in one] == ([warning] if warning else [])


@pytest.mark.parametrize(
    ("select", "group", "warned"),
    [
        ("pk", "", False),
        ("count(*)", "", False),
        ("count(*), status", "GROUP BY status", False),
        ("status = 'rare', pk", "ORDER BY pk LIMIT 1", False),
        ("max(pk)", "", True),
        ("count(pk)+0", "GROUP BY ()", True),
        ("count(*) FILTER (WHERE status = 'F')", "", True),
    ],
)
async def test_rows_that_have_the_text_say_so_themselves(
    service: Service, select: str, group: str, warned: bool
) -> None:
    """What a sample lacked may be there all the same: here it was written after the sample was taken."""
    name = f"uns_rare_{len(select)}"
    await service.create(name, [{"pk": {"S": f"p{n}"}, "status": {"S": "FO"[n % 2]}} for n in range(20)])
    await service.browsing().describe_table(ANN, table_name=name)
    sql = f"SELECT {select} FROM {name} WHERE status = 'rare' {group}"
    assert len(told((await service.run(sql)).warnings)) == 1
    await service.put(name, [{"pk": {"S": "p99"}, "status": {"S": "rare"}}])
    assert bool(told((await service.run(sql)).warnings)) == warned


async def test_warnings_are_few(service: Service) -> None:
    texts = ", ".join(f"'x{number}'" for number in range(500))
    result = await service.run(f"SELECT count(*) FROM uns_people WHERE status IN ({texts}) OR nation = 'Germany'")
    assert len(told(result.warnings)) == 10


async def test_parameters_count_too(service: Service) -> None:
    for _ in range(3):  # the third plan is one with slots
        for nation, warned in (("Germany", 1), ("GERMANY", 0)):
            result = await service.run("SELECT pk FROM uns_people WHERE nation = ?", parameters=[nation])
            assert len(told(result.warnings)) == warned


@pytest.mark.parametrize(
    "rule",
    [
        Rule("uns_people", masks=(("nation", Mask.REDACTED),)),
        Rule("uns_people", hidden=frozenset({"nation"})),
    ],
)
async def test_what_a_rule_keeps_back_is_told_neither_here_nor_there(service: Service, rule: Rule) -> None:
    table = (await service.browsing().describe_table(ANN, table_name="uns_people")).table
    nation = table.column("nation")
    assert nation is not None
    assert nation.examples == Examples(tuple(sorted(NATIONS)), "FRANCE", "PERU", None, one_case="upper")
    shop = service.schemas.by_name["shop"]
    view = Schemas((replace(shop, rules={"uns_people": (rule,)}),)).views.of(
        ANN, replace(shop, rules={"uns_people": (rule,)}), table
    )
    left: dict[str, Any] = {one.name: one.examples for one in getattr(view, "columns", ())}
    assert left.get("nation") is None
    assert left["status"] is not None


async def test_only_what_may_be_seen_was_looked_at(service: Service) -> None:
    rule = Rule("uns_people", rows=(("status", frozenset({"O"})), ("nation", frozenset({"PERU", "FRANCE"}))))
    schemas = Schemas((replace(service.schemas.by_name["shop"], name="unseen", rules={"uns_people": (rule,)}),))
    browsing = browsing_over(schemas, service.catalog, service.clock)
    table = (await browsing.describe_table(ANN, table_name="uns_people")).table
    values = {column.name: column.examples.values for column in table.columns if column.examples is not None}
    assert (values["nation"], values["status"]) == (("FRANCE", "PERU"), ("O",))


async def test_a_warning_names_what_the_callers_own_rows_hold(service: Service) -> None:
    (warning,) = told((await service.run("SELECT count(*) FILTER (WHERE status = 'open') FROM uns_rows")).warnings)
    assert warning.endswith("has 'open' as \"status\"; there are 'O'.")


@pytest.mark.parametrize("table", ["uns_masked"])
@pytest.mark.parametrize(
    "select",
    [
        "count(*) FILTER (WHERE nation = 'Germany')",
        "sum(CASE nation WHEN 'Germany' THEN 1 END)",
        "bool_or(nation LIKE 'Ger%')",
        "bool_or(_doc->>'nation' = 'Germany')",
        "bool_or(_doc->>'$.address.country' = 'Germany')",
        "(SELECT count(n) FROM (SELECT lower(nation) AS n FROM {table}) WHERE n = 'germania')",
    ],
)
async def test_no_warning_tells_what_a_rule_keeps_back(service: Service, table: str, select: str) -> None:
    sql = f"SELECT {select.format(table=table)} FROM {table}"
    assert told((await service.run(sql)).warnings) == []
    admin = replace(ANN, roles=frozenset({"admin"}))
    assert len(told((await service.run(sql, admin)).warnings)) == 1


async def test_a_description_shows_what_parts_hold(service: Service) -> None:
    table = (await service.browsing().describe_table(ANN, table_name="uns_people")).table
    shown = {column.name: structure.column(column, with_values=True) for column in table.columns}
    assert shown["address"].get("parts") == [{"path": "address.country", "values": sorted(NATIONS)}]
    assert shown["lines"].get("parts") == [{"path": "lines[].state", "values": ["O", "P"]}]
    hidden = [structure.column(column, with_values=False) for column in table.columns]
    assert not any("parts" in column for column in hidden)
