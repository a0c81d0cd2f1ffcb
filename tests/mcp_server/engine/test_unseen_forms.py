"""A text that no value is, or begins with, or that no list holds, is told of however the comparison is written."""

import pytest

from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

STATES = ["PAID", "SHIPPED", "CANCELLED"]


@pytest.fixture(scope="module", autouse=True)
async def orders(service: Service) -> None:
    items = [
        {
            "pk": {"S": f"p{number}"},
            "state": {"S": STATES[number % 3]},
            "tags": {"SS": ["beta", "vip"] if number % 2 else ["new", "vip"]},
            "codes": {"L": [{"S": "X1"}, {"S": f"Y{number % 2}"}]},
            "address": {"M": {"city": {"S": "Oslo"}, "floor": {"N": "3"}}},
            "lines": {"L": [{"M": {"sku": {"S": f"K-{number % 3}"}}}]},
        }
        for number in range(60)
    ]
    await service.create("uns_forms", items)


PAID, VIP, X1, K = ("state", "PAID"), ("tags[]", "vip"), ("codes[]", "X1"), ("lines[].sku", "K-1")


@pytest.mark.parametrize(
    ("condition", "sought", "place"),
    [
        ("trim(state) = 'paid'", "'paid'", PAID),
        ("coalesce(state, 'none') = 'paid'", "'paid'", PAID),
        ("coalesce(trim(state), 'none') IN ('none', 'paid')", "'paid'", PAID),
        ("ifnull(state, 'none') = 'none'", "", PAID),
        ("trim(state) = 'PAID'", "", PAID),
        ("left(state, 4) = 'paid'", "a text that starts with 'paid'", PAID),
        ("substr(state, 1, 4) = 'paid'", "a text that starts with 'paid'", PAID),
        ("left(state, 4) = 'PAID'", "", PAID),
        ("left(state, 2) = 'paid'", "", PAID),
        ("substr(state, 2, 4) = 'paid'", "", PAID),
        ("regexp_matches(state, 'paid')", "a text that contains 'paid'", PAID),
        ("state ~ '^paid'", "a text that starts with 'paid'", PAID),
        ("state ~ 'paid$'", "a text that ends with 'paid'", PAID),
        ("regexp_matches(state, '^paid$')", "'paid'", PAID),
        ("regexp_full_match(state, 'paid')", "'paid'", PAID),
        ("regexp_full_match(state, '.*paid.*')", "a text that contains 'paid'", PAID),
        ("state SIMILAR TO 'paid'", "'paid'", PAID),
        ("regexp_matches(state, 'paid|PAID')", "a text that contains 'paid'", PAID),
        ("state ~ '^(PAID|paid)$'", "'paid'", PAID),
        ("regexp_full_match(state, '(?:PAID|paid)')", "'paid'", PAID),
        ("state SIMILAR TO '(PAID|paid)'", "'paid'", PAID),
        ("state ~ 'PAID|SHIPPED'", "", PAID),
        ("state ~ '^paid|paid$'", "", PAID),
        (r"state ~ 'pa\|id'", r"a text that contains 'pa|id'", PAID),
        ("list_contains(['paid', 'PAID'], state)", "'paid'", PAID),
        ("list_contains(['SHIPPED', 'PAID'], state)", "", PAID),
        ("strpos(state, 'paid') > 0", "a text that contains 'paid'", PAID),
        ("instr(state, 'AI') > 0", "", PAID),
        ("position('paid' IN state) > 0", "a text that contains 'paid'", PAID),
        ("regexp_matches(state, 'AID')", "", PAID),
        ("regexp_matches(state, 'paid', 'i')", "", PAID),
        ("regexp_matches(state, '(?i)paid')", "", PAID),
        ("regexp_matches(state, 'p.id')", "", PAID),
        ("list_contains(tags, 'VIP')", "'VIP'", VIP),
        ("contains(tags, 'VIP')", "'VIP'", VIP),
        ("'VIP' = ANY (tags)", "'VIP'", VIP),
        ("'VIP' IN tags", "'VIP'", VIP),
        ("'VIP' IN (SELECT unnest(tags))", "", VIP),
        ("list_contains(tags, 'vip')", "", VIP),
        ("contains(tags, 'vi')", "'vi'", VIP),
        ("list_contains(codes, 'x1')", "'x1'", X1),
        ("EXISTS (SELECT 1 FROM unnest(tags) AS t(tag) WHERE tag = 'VIP')", "'VIP'", VIP),
        ("EXISTS (SELECT 1 FROM unnest(lines) AS l WHERE l.sku = 'k-1')", "'k-1'", K),
        ("lines[1].sku = 'k-1'", "'k-1'", K),
    ],
)
async def test_a_text_that_no_sampled_item_has(
    service: Service, condition: str, sought: str, place: tuple[str, str]
) -> None:
    """`sought` is how the warning calls the text, empty where nothing is to be warned of."""
    shown, near = place
    column = f'"{shown}"' if shown.isalpha() else shown
    result = await service.run(f"SELECT count(*) FROM uns_forms WHERE {condition}")
    warnings = [one for one in result.warnings if one.startswith("No sampled item")]
    if not sought:
        assert warnings == []
        return
    (warning,) = warnings
    assert warning.startswith(f'No sampled item of "uns_forms" has {sought} as {column}; there are ')
    assert f"'{near}'" in warning
    assert result.rows == [[0]] or "'PAID'" in condition or "|" in condition


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT tag FROM (SELECT unnest(tags) AS tag FROM uns_forms) WHERE tag = 'VIP'",
        "SELECT pk FROM uns_forms, unnest(tags) AS t(tag) WHERE tag = 'VIP'",
        "SELECT pk FROM uns_forms CROSS JOIN LATERAL unnest(tags) AS tag WHERE tag = 'VIP'",
        "WITH t AS (SELECT pk, unnest(tags) AS tag FROM uns_forms) SELECT count(*) FROM t WHERE tag IN ('VIP', 'vip')",
    ],
)
async def test_elements_of_lists_are_followed(service: Service, sql: str) -> None:
    (warning,) = (await service.run(sql)).warnings
    assert warning == "No sampled item of \"uns_forms\" has 'VIP' as tags[]; there are 'vip'."


async def test_the_texts_of_a_set_are_described(service: Service) -> None:
    found = (await service.browsing().describe_table(ANN, table_name="uns_forms")).table.column("tags")
    assert found is not None
    assert found.examples is not None
    assert found.examples.of((None,)) == ("beta", "new", "vip")


@pytest.mark.parametrize(
    ("condition", "warned"),
    [
        ("json_value(address, '$.city') = 'Oslo'", True),
        ("CAST(address->'$.city' AS VARCHAR) = 'Oslo'", True),
        ("'Oslo' = (address->'city')::TEXT", True),
        ("(address->'city')::TEXT IN ('Oslo', '\"Bergen\"')", True),
        ("address->>'$.city' = 'Oslo'", False),
        ("json_extract_string(address, '$.city') = 'Oslo'", False),
        ("CAST(address->'$.floor' AS VARCHAR) = '3'", False),
        ("json_value(address, '$.city') = '\"Oslo\"'", False),
        ("CAST(address->'$.city' AS VARCHAR) LIKE '%Oslo%'", False),
    ],
)
async def test_json_that_is_compared_with_a_text(service: Service, condition: str, warned: bool) -> None:
    """A text has quotes as JSON. What is not warned of holds for all items."""
    result = await service.run(f"SELECT count(*) FROM uns_forms WHERE {condition}")
    sentence = "JSON of \"address\" never equals 'Oslo', since its texts have quotes; read them with ->>."
    assert list(result.warnings) == ([sentence] if warned else [])
    assert result.rows == [[0 if warned else 60]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (SELECT state, pk FROM uns_forms) PIVOT (count(pk) FOR state IN ('paid', 'PAID'))",
        "SELECT * FROM uns_forms PIVOT (count(pk) FOR state IN ('paid') GROUP BY tags)",
        "WITH s AS (SELECT state, pk FROM uns_forms) SELECT * FROM s PIVOT (count(pk) FOR state IN ('PAID', 'paid'))",
        "SELECT list_contains(list(state), 'paid') FROM uns_forms",
        "SELECT pk FROM uns_forms GROUP BY pk HAVING list_contains(array_agg(state), 'paid')",
    ],
)
async def test_values_of_a_pivot_and_of_lists_that_are_made(service: Service, sql: str) -> None:
    (warning,) = [one for one in (await service.run(sql)).warnings if one.startswith("No sampled item")]
    assert warning == "No sampled item of \"uns_forms\" has 'paid' as \"state\"; there are 'PAID'."
