"""The texts of conditions that are written at once are those that the generator writes."""

from itertools import product

import pytest
import sqlglot

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.lowering.condition_texts import _simple, condition_text, generated_text

_SPELT = {"total": "Total", "plain": "a b", "quote": 'q"x', "word": "order", "digits": "1st", "line": "a\nb", "ü": "ü"}
_COLUMNS = ['t."total"', "t.plain", "t.quote", "t.word", "t.digits", "t.line", "t.ü", "t.other"]
_CONSTANTS = [
    *("'a'", "''", "'it''s'", "'a\\nb'", "'a\nb'", "'ü§'", "5", "1.50", ".5", "1e5", "5.", "1_000"),
    *("DATE '2024-01-31'", "CAST('2024-01-31' AS TIMESTAMP)", "'2024-01-31 10:00'::TIMESTAMPTZ", "'a'::BLOB"),
    *(
        "'7'::DECIMAL(10, 2)",
        "'7'::DECIMAL",
        "'a'::VARCHAR(3)",
        "5::TEXT",
        "'10:00'::TIME",
        "'1'::HUGEINT",
        "'t'::BOOL",
    ),
    *("DATE '2024-01-31' + INTERVAL '3' MONTH", "DATE '2024-01-31' - INTERVAL 90 DAYS", "0.06 - 0.01", "1 + 2 - 3"),
    *("INTERVAL '1.5' HOUR", "INTERVAL '2 days'", "1 - (2 + 3)", "-5", "NULL", "true", "TRY_CAST('a' AS DATE)", "?"),
    *(
        "upper('a')",
        "[1, 2]",
        "2 * 3",
        "CAST(['a'] AS VARCHAR[])",
        "(5)",
        "'a' COLLATE NOCASE",
        "DATE '2024-01-31' - 5",
    ),
]
_FORMS = [
    *("{0} = {1}", "{0} <> {1}", "{0} < {1}", "{0} <= {1}", "{1} > {0}", "{1} >= {0}", "{0} LIKE {1}", "{0} ILIKE {1}"),
    *("{0} NOT LIKE {1}", "{0} BETWEEN {1} AND {1}", "{0} BETWEEN 1 AND {1}", "{0} NOT BETWEEN {1} AND 'z'"),
    *("{0} IN ({1})", "{0} IN (1, {1}, 'a')", "{0} NOT IN ({1}, 2)", "{0} IN ({1}, t.other)", "{0} = ANY({1})"),
    *("{0} + 1 > {1}", "{0} = 1 OR {0} = {1}", "{0} IS NOT DISTINCT FROM {1}", "{0} LIKE {1} ESCAPE '!'", "{0} == {1}"),
    *(
        "{0} = {0} - {1}",
        "NOT {0} = {1}",
        "({0} = {1})",
        "{0} IN (SELECT {1})",
        "{0} > ALL (SELECT {1})",
        "{0}.x = {1}",
    ),
]


@pytest.mark.parametrize("form", _FORMS)
def test_a_condition_is_written_as_the_generator_writes_it(form: str) -> None:
    for column, constant in product(_COLUMNS, _CONSTANTS):
        condition = sqlglot.parse_one(form.format(column, constant), read=Dialect)
        before = condition.copy()
        assert condition_text(condition, _SPELT) == generated_text(condition, _SPELT)
        assert condition == before


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("t.word = 'it''s'", "\"order\" = 'it''s'"),
        ("t.total LIKE 'a%'", "Total LIKE 'a%'"),
        ("t.plain BETWEEN DATE '2024-01-31' AND DATE '2024-02-29' - INTERVAL '1' DAY",
         "\"a b\" BETWEEN CAST('2024-01-31' AS DATE) AND CAST('2024-02-29' AS DATE) - INTERVAL '1' DAY"),
        ("t.other IN (1, 2.50)", "other IN (1, 2.50)"),
        ("t.other NOT LIKE 'a'", None),
        ("t.other = -5", None),
    ],
)  # fmt: skip
def test_the_most_frequent_conditions_are_written_at_once(condition: str, text: str | None) -> None:
    assert _simple(sqlglot.parse_one(condition, read=Dialect), _SPELT) == text
