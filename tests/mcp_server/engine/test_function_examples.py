"""Every example of docs/functions.md, under every name, gives what the document says."""

import json

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.surface.wording.failures import worded
from tests.mcp_server.engine.conftest import Service
from tests.support.function_document import sales, sections

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TYPES = {"id": "N", "qty": "N", "price": "N"}


@pytest.fixture(scope="module")
async def shop(service: Service) -> Service:
    await service.tables.create("sales", (("id", "N"),))
    rows = [{name: value for name, value in row.items() if value != "NULL"} for row in sales()]
    await service.put("sales", [{name: {TYPES.get(name, "S"): row[name]} for name in row} for row in rows])
    return service


@pytest.mark.parametrize("section", sections())
async def test_the_examples_give_what_the_document_says(shop: Service, section: str) -> None:
    """Compared as JSON, so that 1 is not 1.0."""
    wrong = []
    for entry in sections()[section]:
        for name in entry.names or ("",):
            statement = entry.statement(name)
            try:
                rows = await shop.rows(statement)
            except Failure as failure:
                given = f"{failure.code}: {worded(failure).message}"
            else:
                given = ", ".join(json.dumps(value, ensure_ascii=False) for (value,) in rows)
            told = ", ".join(json.dumps(value, ensure_ascii=False) for value in entry.results)
            if given != told:
                wrong.append(f"{statement}\n  docs/functions.md says {told}\n  it gives {given}")
    assert not wrong, "\n".join(wrong)


async def test_words_that_ask_for_the_time_need_no_name(shop: Service) -> None:
    """A column of the result that is called like the word is not what the word means."""
    words = ["current_date", "current_timestamp", "localtime", "localtimestamp"]

    result = await shop.run(f"SELECT {', '.join(words)}, current_time::VARCHAR FROM sales WHERE day < current_date")

    assert [column.name for column in result.columns[:4]] == words
    assert all(None not in row for row in result.rows)
    assert len(result.rows) == 4
    [today] = (await shop.run("SELECT today()")).columns
    assert (today.name, today.type) == ("current_date", "DATE")
