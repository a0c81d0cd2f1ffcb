"""Whoever looks for a text that a column does not hold is told what it holds."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.schema import Examples
from mcp_server.engine.schemas import Schemas
from tests.mcp_server.engine.conftest import ANN, Service

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
        }
        for number in range(60)
    ]
    await service.create("uns_people", items)


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
        Rule("uns_people", rows=(("status", frozenset({"O"})),)),
    ],
)
async def test_what_a_rule_keeps_back_is_told_neither_here_nor_there(service: Service, rule: Rule) -> None:
    table = (await service.browsing().describe_table(ANN, table_name="uns_people")).table
    nation = table.column("nation")
    assert nation is not None
    assert nation.examples == Examples(tuple(sorted(NATIONS)), "FRANCE", "PERU", None)
    shop = service.schemas.by_name["shop"]
    view = Schemas((replace(shop, rules={"uns_people": (rule,)}),)).views.of(
        ANN, replace(shop, rules={"uns_people": (rule,)}), table
    )
    left: dict[str, Any] = {one.name: one.examples for one in getattr(view, "columns", ())}
    assert left.get("nation") is None
    assert (left["status"] is None) == bool(rule.rows)
