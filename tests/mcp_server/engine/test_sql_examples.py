"""Every statement of docs/sql.md is run, and gives the rows, or the refusal, that the document says."""

import json
import re
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeSerializer

from mcp_server.domain.failures import Failure
from mcp_server.surface.wording.failures import worded
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.anyio

TEXT = (REPOSITORY / "docs" / "sql.md").read_text("utf-8")
TABLES: list[tuple[str, str, str]] = re.findall(
    r"^`(\w+)`, whose key is ([^\n]*):\n\n```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL
)
ROWS: list[tuple[str, str]] = re.findall(r"^\| `((?:SEL|WITH |DEL)[^`]+)` \| (.+) \|$", TEXT, re.MULTILINE)
"""Statements of the table of examples, with what stands beside them."""
_PROSE = "\n".join(line for line in TEXT.splitlines() if not line.startswith("| "))
WITHIN_PROSE = [(found[1], found[2]) for found in re.finditer(r"`((?:SELECT|WITH) [^`]+)`(?=((?s:.{0,200})))", _PROSE)]
"""Statements within the text, each with what follows it."""
_MIXED_AND_NESTED = "".join(
    re.findall(r"^A column of numbers and texts.*?^###|^### Within maps.*?^## ", TEXT, re.MULTILINE | re.DOTALL)
)
EXPRESSIONS = [
    code
    for code in dict.fromkeys(re.findall(r"`([^`]+)`", _MIXED_AND_NESTED))
    if re.search(r"\b(postcode|address|lines)\b", code)
]
"""What is written of columns of the examples' tables where the text is on numbers and texts, and on maps and lists."""


@pytest.fixture(scope="module")
async def shop(service: Service) -> Service:
    serialize = TypeSerializer().serialize
    for name, key, lines in TABLES:
        await service.tables.create(name, tuple((part, "S") for part in re.findall(r"`(\w+)`", key)))
        items = [json.loads(line, parse_float=Decimal) for line in lines.splitlines()]
        await service.put(name, [{part: serialize(value) for part, value in item.items()} for item in items])
    return service


def test_the_document_holds_what_is_looked_for() -> None:
    """No example escapes because it is written in another way."""
    assert [name for name, _, _ in TABLES] == ["orders", "customers"]
    assert len(ROWS) == sum(line.startswith("| `") for line in _examples().splitlines())
    fenced = "".join(re.findall(r"^```sql\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
    assert not fenced, "write statements as rows of the table of examples"
    assert len(WITHIN_PROSE) >= 3
    assert len(EXPRESSIONS) >= 22


@only_doubles
async def test_the_examples_give_what_the_document_says(shop: Service) -> None:
    wrong = []
    for statement, told in ROWS:
        try:
            rows = await shop.rows(statement)
        except Failure as failure:
            given = f"refused: `{failure.code}`"
            reworded = re.search(r", try `(.*)`$", told)
            if reworded and worded(failure).next_action.endswith(reworded[1]):
                given += reworded[0]
        else:
            given = ", ".join(f"`{json.dumps(row, ensure_ascii=False)}`" for row in rows) or "none"
        if given != told:
            wrong.append(f"{statement}\n  docs/sql.md says {told}\n  it gives {given}")
    assert not wrong, "\n".join(wrong)


@only_doubles
@pytest.mark.parametrize(("statement", "after"), WITHIN_PROSE)
async def test_the_statements_within_the_text_run(shop: Service, statement: str, after: str) -> None:
    """Where the text goes on with "reads 2 items", that many are; DynamoDB counts where it speaks of Select=COUNT."""
    result = await shop.run(statement)

    if read := re.match(r" reads (\d+) items", after):
        assert result.statistics.items_read == int(read[1])
    explained = await shop.queries().explain_sql(ANN, sql=statement)
    assert any(one.counts for one in explained.reads) == ("Select=COUNT" in after)


@only_doubles
@pytest.mark.parametrize("code", EXPRESSIONS)
async def test_expressions_within_the_text_run(shop: Service, code: str) -> None:
    """In a SELECT list; `…` and a column of another table stand for what the examples do not have."""
    table = "customers" if "postcode" in code else "orders"
    written = code.replace("number …", "150 FROM customers").replace("max(number) …", "max(150) FROM customers")
    await shop.rows(f"SELECT {written.replace('o.number', '150')} FROM {table}")


def _examples() -> str:
    return TEXT.partition("\n## Examples\n")[2].partition("\n## ")[0]
