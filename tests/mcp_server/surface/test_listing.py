"""list_tables over a DynamoDB that tells nothing of some tables: each table stands for itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcp_server.app.serving import product
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Rule
from mcp_server.engine.limits import Limits
from mcp_server.engine.schemas import Schemas
from tests.mcp_server.adapters.endpoint import Answer, Body, error
from tests.mcp_server.adapters.test_catalog import FACTS, ITEMS, scripted
from tests.mcp_server.engine.conftest import browsing_over
from tests.mcp_server.surface.exchanges import Exchanges
from tests.support.clock import SettableClock
from tests.support.mcp_wire import MODERN

pytestmark = pytest.mark.anyio

ANN = Principal("acme", "usr_ann", "cli", frozenset({"query", "schemas:read"}), "gid")
REASON = 'source_unavailable: DynamoDB cannot be read for schema "shop" at the moment.'
REFUSED = error("AccessDeniedException")
NULL_IN_A_MAP = {"pk": {"S": "a"}, "address": {"M": {"city": None}}}


@asynccontextmanager
async def listing_tools(
    monkeypatch: pytest.MonkeyPatch, odd: dict[str, Answer], rules: tuple[Rule, ...] = (), tables: str = "odd orders"
) -> AsyncIterator[Any]:
    """Calls a tool over some tables, of which the one called `odd` answers some operations otherwise."""

    def script(operation: str, request: Body) -> Answer:
        if request.get("TableName") == "odd" and operation in odd:
            return odd[operation]
        if operation == "describetable":
            return Answer({"Table": FACTS | {"TableName": request["TableName"]}})
        return Answer(ITEMS)

    async with scripted(monkeypatch, script) as (_at, catalog, schema):
        shop = replace(
            schema, name="shop", tenant="acme", tables=frozenset(tables.split()), rules={"odd": rules} if rules else {}
        )
        browsing = browsing_over(Schemas((shop,)), catalog, SettableClock())
        engine = SimpleNamespace(browsing=browsing, queries=None, usage=None, limits=Limits())
        served = Exchanges(product(cast("Any", engine), cast("Any", None)))

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            result = await served.result(MODERN, "tools/call", {"name": tool, "arguments": arguments}, ANN)
            return cast("dict[str, Any]", result["structuredContent"])

        yield call


@pytest.mark.complaint(18)
@pytest.mark.parametrize(
    ("details", "odd"),
    [
        ("names", {"describetable": REFUSED}),
        ("columns", {"describetable": REFUSED}),
        ("columns", {"scan": REFUSED}),
        ("columns", {"scan": Answer(ITEMS | {"Items": [NULL_IN_A_MAP]})}),
    ],
    ids=["describe refused", "describe refused, columns", "scan refused", "a null in a map"],
)
async def test_a_table_that_cannot_be_described_leaves_the_others_listed(
    details: str, odd: dict[str, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listing_tools(monkeypatch, odd) as call:
        listed = await call("list_tables", details=details)
        orders, failed = listed["tables"]
        assert orders["name"] == "orders"
        assert orders.get("columns") == (["pk VARCHAR"] if details == "columns" else None)
        assert failed == {"name": "odd", "qualified_name": "shop.odd", "error": REASON}
        assert (await call("describe_table", table_name="orders"))["columns"]


async def test_what_fails_for_every_table_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listing_tools(monkeypatch, {"describetable": REFUSED}, tables="odd") as call:
        for details in ("names", "columns"):
            assert (await call("list_tables", details=details))["code"] == "source_unavailable"


async def test_a_table_that_may_be_closed_is_not_named_while_nothing_is_known_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rules hide its key from some, so that it is not there for them: its description would tell."""
    hiding = Rule("odd", hidden=frozenset({"pk"}))
    async with listing_tools(monkeypatch, {"describetable": REFUSED}, (hiding,)) as call:
        assert [table["name"] for table in (await call("list_tables"))["tables"]] == ["orders"]
        assert (await call("describe_table", table_name="ORDERS"))["name"] == "orders"
        unknown = await call("describe_table", table_name="orders_2")
        assert unknown["code"] == "unknown_table"
        assert "odd" not in unknown["next_action"]
