"""The product's resources, prompts and completions: the same scopes and the same policy as its tools."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.usage_days import UsageInMemory
from mcp_server.app.serving import product
from mcp_server.domain.prices import Prices
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Rule
from mcp_server.domain.schema import Schema
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.engine.limits import Limits
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.usage import UsageService
from mcp_server.ports.usage import TableUsage, Usage
from mcp_server.sql.gate.allowed_functions import PUBLIC_FUNCTIONS
from mcp_server.surface.tools.usage import listing
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.engine.conftest import browsing_over
from tests.mcp_server.surface.exchanges import Exchanges
from tests.support.clock import SettableClock
from tests.support.mcp_wire import ERAS, MODERN, Era, message

pytestmark = pytest.mark.anyio

ANN = Principal("acme", "usr_ann", "cli", frozenset({"query", "schemas:read"}), "gid")
QUERYING, BROWSING = replace(ANN, scopes=frozenset({"query"})), replace(ANN, scopes=frozenset({"schemas:read"}))
TEMPLATE = "dynamosql://schemas/{schema}/tables/{table}"


@pytest.fixture(scope="module")
async def served() -> Exchanges:
    """The product over three tables, one of which only another tenant may see, and one nobody."""
    tables = TablesInMemory()
    for name in ("orders", "order items", "people", "secrets"):
        await tables.create(name, (("pk", "S"),))
        await tables.put(name, [{"pk": {"S": "a"}, f"of_{name[:5].strip()}": {"N": "1"}}])
    shop = Schema("shop", "acme", "eu-central-1", None, tables=frozenset({"orders", "order items", "people"}))
    schemas = (
        shop,
        replace(shop, name="asleep", active=False),
        replace(shop, name="rival", tenant="globex", tables=frozenset({"secrets"})),
    )
    clock, known = SettableClock(), Schemas(schemas)
    browsing = browsing_over(known, HeldCatalog(tables.held, clock), clock)
    records = UsageInMemory(clock)
    for principal in (ANN, replace(ANN, subject="usr_eve")):
        reads = (TableUsage("shop", "orders", 5, 1000.0, 2),)
        records.record(principal, Usage("digest", ("shop.orders",), 5, 2, 500, 1000.0, 0.0, 0.0, reads, rows=3))
    usage = UsageService(records=records, schemas=known, prices=Prices(), clock=clock)
    engine = SimpleNamespace(browsing=browsing, queries=None, usage=usage, limits=Limits())
    return Exchanges(product(cast("Any", engine), cast("Any", None)))


async def read(served: Exchanges, uri: str, era: Era = MODERN, principal: Principal = ANN) -> str:
    result = await served.result(era, "resources/read", {"uri": uri}, principal)
    [contents] = result["contents"]
    assert contents["uri"]
    return str(contents["text"])


BROWSED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "tool": ("tools/call", {"name": "describe_table", "arguments": {"table_name": "ORDERS"}}, ["shop.orders"]),
    "list": (
        "tools/call",
        {"name": "list_tables", "arguments": {"details": "columns"}},
        ["shop.order items", "shop.orders", "shop.people"],
    ),
    "resource": ("resources/read", {"uri": "dynamosql://schemas/shop/tables/people"}, ["shop.people"]),
    "prompt": ("prompts/get", {"name": "explore_data", "arguments": {"table": "people"}}, ["shop.people"]),
    "unknown": ("tools/call", {"name": "describe_table", "arguments": {"table_name": "secrets"}}, []),
    "none": ("tools/call", {"name": "list_schemas", "arguments": {}}, []),
}
"""What shows tables without a statement: the method, its parameters, and the tables."""


@pytest.mark.parametrize("way", BROWSED)
async def test_the_line_of_a_call_names_the_tables_that_it_shows(way: str, served: Exchanges) -> None:
    method, params, tables = BROWSED[way]
    with capture_logs() as logs:
        await served.result(MODERN, method, params, ANN)
    (line,) = (line for line in logs if "outcome" in line)
    assert list(line.get("tables", ())) == tables
    assert not {"statement", "rows"} & set(line)


@pytest.mark.parametrize("way", BROWSED)
async def test_whoever_is_shown_sampled_values_is_on_record(way: str, served: Exchanges) -> None:
    """A listing shows names and types of columns; without the scope to query nothing shows what columns hold."""
    method, params, tables = BROWSED[way]
    shows = way not in ("list", "unknown", "none")
    for principal in (ANN, replace(ANN, scopes=frozenset({"schemas:read"}))):
        with capture_logs() as logs:
            await served.post(*message(MODERN, 1, method, params), principal=principal)
        recorded = [line for line in logs if line["event"] == "values_shown"]
        if not shows or principal is not ANN:
            assert recorded == []
            continue
        assert recorded == [
            {
                "event": "values_shown",
                "log_level": "info",
                "tables": tuple(tables),
                "tenant": "acme",
                "user_id": ANN.subject,
                "client_id": ANN.client_id,
                "grant": ANN.grant,
            }
        ]


async def test_the_line_of_the_call_that_needed_a_sample_says_what_it_took() -> None:
    tables, clock, lines = TablesInMemory(), SettableClock(), []
    await tables.create("people", (("pk", "S"),))
    await tables.put("people", [{"pk": {"S": "a"}}])
    shop = Schema("shop", "acme", "eu-central-1", None)
    browsing = browsing_over(Schemas((shop,)), HeldCatalog(tables.held, clock), clock)
    engine = SimpleNamespace(browsing=browsing, queries=None, usage=None, limits=Limits())
    served = Exchanges(product(cast("Any", engine), cast("Any", None)))
    for _ in range(2):
        with capture_logs() as logs:
            arguments = {"table_name": "people", "refresh": "force"}
            await served.result(MODERN, "tools/call", {"name": "describe_table", "arguments": arguments}, ANN)
        lines += [line for line in logs if line["event"] == "tool_call"]
    told = ("sample_requests", "sample_items", "sample_read_units")
    assert [[line.get(name) for name in told] for line in lines] == [[1, 1, 0.5], [None] * 3]


async def test_only_whole_tables_have_a_number_of_items() -> None:
    """That of a physical table is wrong for a part of it, and tells how much there is beside."""
    tables = TablesInMemory()
    for name in ("orders", "people"):
        await tables.create(name, (("pk", "S"),))
        await tables.put(name, [{"pk": {"S": f"{word}#1"}, "of": {"S": word}} for word in ("ann", "eve")])
    virtual = VirtualTable("anns", "orders", (("pk", Template.parse("ann#{number}")),))
    rules = {"people": (Rule("people", rows=(("of", frozenset({"ann"})),)),)}
    shop = Schema("shop", "acme", "eu-central-1", None, rules=rules, virtual_tables={"anns": virtual})
    clock = SettableClock()
    browsing = browsing_over(Schemas((shop,)), HeldCatalog(tables.held, clock), clock)
    engine = SimpleNamespace(browsing=browsing, queries=None, usage=None, limits=Limits())
    served = Exchanges(product(cast("Any", engine), cast("Any", None)))

    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        result = await served.result(MODERN, "tools/call", {"name": tool, "arguments": arguments}, ANN)
        return cast("dict[str, Any]", result["structuredContent"])

    expected = {"anns": None, "orders": 2, "people": None}
    physical = {"anns": None, "orders": "orders", "people": "people"}
    for details in ("names", "keys", "columns"):
        listed = (await call("list_tables", details=details))["tables"]
        assert {table["name"]: table.get("item_count") for table in listed} == expected
        # What is behind a virtual table may not be there for the caller, by the schema's `tables` or by their rights.
        assert {table["name"]: table.get("physical_table_name") for table in listed} == physical
    for name, count in expected.items():
        described = await call("describe_table", table_name=name)
        assert described.get("item_count") == count
        assert described.get("physical_table_name") == physical[name]
        assert described["columns"]


@pytest.mark.parametrize("era", ERAS)
async def test_lists_hold_what_the_tokens_scopes_allow(served: Exchanges, era: Era) -> None:
    expected = {
        ANN: (
            ["reference-sql", "reference-functions", "reference-limitations", "schemas", "usage", "view"],
            ["table"],
            ["explore_data", "write_query", "optimize_query"],
        ),
        QUERYING: (
            ["reference-sql", "reference-functions", "reference-limitations", "usage", "view"],
            [],
            ["optimize_query"],
        ),
        BROWSING: (["schemas"], ["table"], []),
    }
    for principal, lists in expected.items():
        resources = await served.result(era, "resources/list", {}, principal)
        templates = await served.result(era, "resources/templates/list", {}, principal)
        prompts = await served.result(era, "prompts/list", {}, principal)
        found = (resources["resources"], templates["resourceTemplates"], prompts["prompts"])
        assert tuple([one["name"] for one in each] for each in found) == lists


@pytest.mark.parametrize(
    "method", ["server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list"]
)
async def test_what_depends_on_the_token_is_cached_for_its_bearer_only(served: Exchanges, method: str) -> None:
    result = await served.result(MODERN, method, {}, ANN)
    assert (result["cacheScope"], result["ttlMs"]) == ("private", 300_000)


async def test_contents_are_cached_for_their_reader_only(served: Exchanges) -> None:
    result = await served.result(MODERN, "resources/read", {"uri": "dynamosql://schemas"}, ANN)
    assert (result["cacheScope"], result["ttlMs"]) == ("private", 60_000)


async def test_the_references_tell_the_functions_and_the_limits_there_are(served: Exchanges) -> None:
    functions = (await read(served, "dynamosql://reference/functions", principal=QUERYING)).split()
    assert set(functions) >= PUBLIC_FUNCTIONS
    assert "50,000 read units" in await read(served, "dynamosql://reference/limitations")
    assert "_doc" in await read(served, "dynamosql://reference/sql")


@pytest.mark.parametrize("era", ERAS)
async def test_schemas_and_tables_are_those_that_the_tools_show(served: Exchanges, era: Era) -> None:
    listed = json.loads(await read(served, "dynamosql://schemas", era))
    assert [schema["name"] for schema in listed["schemas"]] == ["shop", "asleep"]
    described = json.loads(await read(served, "dynamosql://schemas/shop/tables/order%20items", era))
    assert (described["name"], described["columns"][0]["name"]) == ("order items", "pk")
    assert "secrets" not in json.dumps(listed)


async def test_usage_tells_requests_items_rows_and_read_units(served: Exchanges) -> None:
    shown = json.loads(await read(served, "dynamosql://usage"))
    own = {"statements": 1, "requests": 2, "items": 5, "rows": 3, "read_units": 1000.0}
    (entry,) = shown["entries"]
    assert entry == {"day": entry["day"], "table": "shop.orders", "usd": entry["usd"], **own}
    owner = replace(QUERYING, subject="usr_owner", roles=frozenset({"owner"}))
    called = {"name": "usage", "arguments": {"whose": "workspace"}}
    of_all = (await served.result(MODERN, "tools/call", called, owner))["structuredContent"]
    assert of_all["people"] == [{"subject": subject, **own} for subject in ("usr_ann", "usr_eve")]
    assert of_all["entries"][0]["rows"] == 6


async def test_usage_has_no_numbers_of_items_that_may_be_unknown_to_its_reader() -> None:
    clock = SettableClock()
    records, rule = UsageInMemory(clock), Rule("vault", closed=True)
    schemas = Schemas((Schema("shop", "acme", "eu-central-1", None, rules={"vault": (rule,)}),))
    for table in ("orders", "vault"):
        reads = (TableUsage("shop", table, 5, 1000.0, 2),)
        records.record(ANN, Usage("digest", (f"shop.{table}",), 5, 2, 500, 1000.0, 0.0, 0.0, reads, rows=3))
    service = UsageService(records=records, schemas=schemas, prices=Prices(), clock=clock)
    owner = replace(QUERYING, subject="usr_owner", roles=frozenset({"owner"}))
    shown = listing(await service.report(owner, whose="workspace"))
    entries = {entry["table"]: entry for entry in shown["entries"]}
    assert (entries["shop.orders"]["items"], entries["shop.orders"]["rows"]) == (5, 3)
    for entry in (entries["shop.*"], *shown["people"]):
        assert not {"items", "rows"} & entry.keys()
    assert [person["read_units"] for person in shown["people"]] == [2000.0]


@pytest.mark.parametrize(
    "uri",
    [
        "dynamosql://schemas/rival/tables/secrets",
        "dynamosql://schemas/shop/tables/secrets",
        "dynamosql://schemas/asleep/tables/orders",
        "dynamosql://schemas/shop/tables/nothing",
        "dynamosql://schemas/shop",
        "file:///etc/passwd",
    ],
)
async def test_what_is_not_there_for_the_caller_is_not_found(served: Exchanges, uri: str) -> None:
    for era, code in (("2026-07-28", -32602), ("2025-11-25", -32002)):
        error = (await served.reply(cast("Era", era), "resources/read", {"uri": uri}, ANN))["error"]
        assert (error["code"], error["message"], error["data"]) == (code, "Resource not found", {"uri": uri})


@pytest.mark.parametrize(
    ("method", "params", "principal"),
    [
        ("resources/read", {"uri": "dynamosql://reference/sql"}, BROWSING),
        ("resources/read", {"uri": "dynamosql://schemas"}, QUERYING),
        ("resources/read", {"uri": "dynamosql://schemas/shop/tables/orders"}, QUERYING),
        ("prompts/get", {"name": "explore_data"}, QUERYING),
    ],
)
async def test_scopes_are_checked_again_behind_the_guard(
    served: Exchanges, method: str, params: dict[str, Any], principal: Principal
) -> None:
    error = (await served.reply(MODERN, method, params, principal))["error"]
    assert error["message"].startswith("This needs the scopes ")


async def complete(
    served: Exchanges,
    ref: dict[str, str],
    argument: str,
    value: str,
    given: dict[str, str] | None = None,
    principal: Principal = ANN,
) -> list[str]:
    params = {"ref": ref, "argument": {"name": argument, "value": value}, "context": {"arguments": given or {}}}
    completion = (await served.result(MODERN, "completion/complete", params, principal))["completion"]
    values: list[str] = completion["values"]
    assert completion["total"] == len(values)
    return values


@pytest.mark.parametrize(
    "ref", [{"type": "ref/resource", "uri": TEMPLATE}, {"type": "ref/prompt", "name": "write_query"}]
)
async def test_schemas_and_tables_are_completed_from_what_the_caller_may_see(
    served: Exchanges, ref: dict[str, str]
) -> None:
    assert await complete(served, ref, "schema", "") == ["shop"]
    assert await complete(served, ref, "schema", "r") == []
    assert await complete(served, ref, "table", "ORD") == ["order items", "orders"]
    assert await complete(served, ref, "table", "e", {"schema": "shop"}) == ["order items", "orders", "people"]
    assert await complete(served, ref, "table", "", {"schema": "rival"}) == []
    assert await complete(served, ref, "table", "", {"schema": "asleep"}) == []
    assert await complete(served, ref, "table", "", principal=QUERYING) == []
    assert await complete(served, ref, "table", "", principal=replace(ANN, tenant="globex")) == ["secrets"]
    assert await complete(served, ref, "nothing", "") == []


async def test_nothing_completes_what_does_not_exist(served: Exchanges) -> None:
    params = {"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "a", "value": ""}}
    assert (await served.reply(MODERN, "completion/complete", params, ANN))["error"]["code"] == -32602


async def test_a_prompt_brings_the_description_of_the_table_along(served: Exchanges) -> None:
    arguments = {"question": "How many?", "table": "orders"}
    result = await served.result(MODERN, "prompts/get", {"name": "write_query", "arguments": arguments}, ANN)
    attached, asked = result["messages"]
    assert attached["content"]["resource"]["uri"] == "dynamosql://schemas/shop/tables/orders"
    assert "of_order" in attached["content"]["resource"]["text"]
    assert "How many?" in asked["content"]["text"]
    assert 'Begin with the table "orders"' in asked["content"]["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("explore_data", {}, "Explore the tables of my default schema."),
        ("explore_data", {"schema": "shop"}, 'Explore the tables of schema "shop".'),
        ("write_query", {"question": "Who?", "schema": "shop"}, 'Use schema "shop".'),
        ("optimize_query", {"sql": "SELECT 1"}, "```sql\nSELECT 1\n```"),
    ],
)
async def test_a_prompt_speaks_of_what_was_filled_in(
    served: Exchanges, name: str, arguments: dict[str, str], text: str
) -> None:
    result = await served.result(MODERN, "prompts/get", {"name": name, "arguments": arguments}, ANN)
    [message] = result["messages"]
    assert text in message["content"]["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("none", {}, "Unknown prompt"),
        ("write_query", {}, "The argument question is required"),
        ("write_query", {"question": ""}, "The argument question is required"),
        ("explore_data", {"table": "secrets"}, 'no table "secrets"'),
        ("explore_data", {"schema": "rival", "table": "secrets"}, 'no schema "rival"'),
    ],
)
async def test_a_prompt_that_cannot_be_got_says_why(
    served: Exchanges, name: str, arguments: dict[str, str], text: str
) -> None:
    error = (await served.reply(MODERN, "prompts/get", {"name": name, "arguments": arguments}, ANN))["error"]
    assert error["code"] == -32602
    assert text in error["message"]


async def test_list_schemas_tells_what_the_token_lacks_and_how_to_get_it(served: Exchanges) -> None:
    called = {"name": "list_schemas", "arguments": {}}
    whole = (await served.result(MODERN, "tools/call", called, ANN))["structuredContent"]
    assert whole.keys() == {"notice", "schemas"}
    partial = (await served.result(MODERN, "tools/call", called, BROWSING))["structuredContent"]
    assert partial["missing_scopes"] == [{"scope": "query", "tools": ["run_sql", "explain_sql", "usage"]}]
    assert "sign in again" in partial["next_action"]
    assert partial["schemas"] == whole["schemas"]


@pytest.mark.parametrize("principal", [ANN, BROWSING])
async def test_the_schemas_resource_holds_what_list_schemas_answers(served: Exchanges, principal: Principal) -> None:
    called = {"name": "list_schemas", "arguments": {}}
    answered = (await served.result(MODERN, "tools/call", called, principal))["structuredContent"]
    assert json.loads(await read(served, "dynamosql://schemas", principal=principal)) == answered
