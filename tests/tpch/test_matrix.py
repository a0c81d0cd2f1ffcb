"""TPC-H gives the same however it is read: nothing pushed down, other segments and responses, remembered plans.

Every two values of two factors meet in one of the settings. Each query runs in responses of one item, which come from a
sample, and two thirds of them under one of the other settings too; or, where TPCH_MATRIX is set in the environment
(`make matrix`), all run under all settings, over both emulators.
"""

import itertools
import os
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from mcp_server.domain.schema import Schema
from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.tpch.reading import ONE, PRIME, SOMEBODY, Setting, serving
from tests.tpch.test_tpch import QUERIES, assert_same

WHOLE = "TPCH_MATRIX" in os.environ
SETTING_SECONDS = 3600 if WHOLE else 300

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(SETTING_SECONDS)]

SETTINGS = [
    Setting(pushed=False, segments=8, response_items=None, warm=False, elsewhere=False),
    Setting(pushed=True, segments=1, response_items=None, warm=True, elsewhere=True),
    Setting(pushed=False, segments=1, response_items=PRIME, warm=False, elsewhere=True),
    Setting(pushed=True, segments=8, response_items=PRIME, warm=True, elsewhere=False),
    Setting(pushed=False, segments=1, response_items=ONE, warm=True, elsewhere=False),
    Setting(pushed=True, segments=8, response_items=ONE, warm=False, elsewhere=True),
]
CASES = (
    [
        (replace(setting, elsewhere=elsewhere), list(QUERIES))
        for setting, elsewhere in itertools.product(SETTINGS, (False, True))
    ]
    if WHOLE
    else [
        (setting, list(QUERIES) if setting.response_items == ONE else list(QUERIES)[place :: len(SETTINGS)])
        for place, setting in enumerate(SETTINGS)
    ]
)
"""Settings with the queries that run under them."""


def test_every_two_values_of_two_factors_meet() -> None:
    settings = [astuple(setting) for setting in SETTINGS]
    factors = list(zip(*settings, strict=True))
    for one, other in itertools.combinations(factors, 2):
        met = set(zip(one, other, strict=True))
        assert met == set(itertools.product(set(one), set(other))), met


def test_every_query_is_in_a_case() -> None:
    assert sorted({name for _, names in CASES for name in names}) == list(QUERIES)


def test_14_queries_have_an_answer_over_the_sample(sample_files: Path) -> None:
    with demo_data.oracle(sample_files) as oracle:
        answers = [oracle.execute(sql).fetchall() for sql in QUERIES.values()]
    assert sum(any(value is not None for row in rows for value in row) for rows in answers) >= 14


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("setting", "names"), CASES)
async def test_queries_give_what_duckdb_gives(
    setting: Setting,
    names: list[str],
    schema_of: Callable[[bool], Schema],
    sample_schema_of: Callable[[bool], Schema],
    demo_tables: DemoTables,
    sample_files: Path,
) -> None:
    """Responses of one item come from a sample: over all of TPC-H they would be more than a million."""
    sampled = setting.response_items == ONE
    schema = (sample_schema_of if sampled else schema_of)(setting.elsewhere)
    with demo_data.oracle(sample_files if sampled else demo_tables.files) as oracle:
        async with serving(schema, setting) as service:
            for name in names:
                expected = oracle.execute(QUERIES[name]).fetchall()
                for _ in range(2 if setting.warm else 1):
                    result = await service.run_sql(SOMEBODY, sql=QUERIES[name], max_rows=1000, allow_full_scan=True)
                assert len(result.rows) == len(expected), name
                types = [column.type for column in result.columns]
                for row, expected_row in zip(result.rows, expected, strict=True):
                    for value, sql_type, exact in zip(row, types, expected_row, strict=True):
                        assert_same(value, sql_type, exact)
