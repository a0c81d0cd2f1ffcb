"""The tools over the whole service: real tokens, real engine, real DuckDB children, an emulated DynamoDB."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import botocore.session
import httpx2
import jsonschema
import pytest
from mcp import Client
from mcp.shared.inbound import find_invalid_x_mcp_header
from mcp.types import TextContent, Tool

from mcp_server.app.serving import create_app
from mcp_server.settings import Settings
from mcp_server.surface.marked import NOTICE
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import KEY_BYTES, write_key_file
from tests.mcp_server.surface.service import MODES, Service
from tests.mcp_server.web.serving import Issuer, listening, origin_of, serving
from tests.support.emulator import Emulator
from tests.support.mcp_wire import message

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ORDERS = "tools-orders"
PEOPLE = "tools_people"
OTHER = "tools_other"
NAMES = ["list_schemas", "list_tables", "describe_table", "run_sql", "explain_sql", "usage"]


@pytest.fixture(scope="module")
def tables(emulator: Emulator) -> Emulator:
    """Three small tables: orders of customers by number, people, and one outside the allow-list."""
    session = botocore.session.get_session()
    dynamodb = session.create_client("dynamodb", region_name=emulator.region, endpoint_url=emulator.endpoint_url)
    dynamodb.create_table(
        TableName=ORDERS,
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "placed", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_day",
                "KeySchema": [{"AttributeName": "placed", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in (PEOPLE, OTHER):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    for number in range(250):
        dynamodb.put_item(
            TableName=ORDERS,
            Item={
                "customer": {"S": f"c{number % 5}"},
                "number": {"N": str(number)},
                "placed": {"S": f"2026-01-{number % 28 + 1:02}"},
                "total": {"N": f"{number}.25"},
                **({"note": {"S": "ünusual"}} if number % 2 else {}),
            },
        )
    for number in range(5):
        dynamodb.put_item(TableName=PEOPLE, Item={"id": {"S": f"c{number}"}, "name": {"S": f"Person {number}"}})
    dynamodb.close()
    return emulator


@pytest.fixture(scope="module")
async def service(tables: Emulator, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with _whole_service(tables, tmp_path_factory.mktemp("service")) as service:
        yield service


@asynccontextmanager
async def _whole_service(tables: Emulator, directory: Path) -> AsyncIterator[Service]:
    place = f'region = "{tables.region}"\nendpoint_url = "{tables.endpoint_url}"\n'
    (directory / "schemas.toml").write_text(
        f'[[schema]]\nname = "old"\ntenant = "default"\nstatus = "disabled"\n{place}'
        f'[[schema]]\nname = "theirs"\ntenant = "another"\n{place}'
        f'[[schema]]\nname = "shop"\ntenant = "default"\ndefault = true\n{place}tables = ["{ORDERS}", "{PEOPLE}"]\n'
    )
    write_key_file(directory / "cursor.key", SystemEntropy().bytes(KEY_BYTES))
    with listening() as issuing, listening() as listener:
        resource = f"{origin_of(listener)}/mcp"
        issuer = Issuer(origin_of(issuing), resource)
        settings = Settings(
            resource=resource,
            issuer=issuer.url,
            schemas_file=directory / "schemas.toml",
            cursor_key_file=directory / "cursor.key",
        )
        async with serving(issuer.app, issuing), serving(create_app(settings), listener) as server:
            yield Service(issuer, resource, listener.getsockname(), server)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the client speaks."""
    return str(request.param)


async def call(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """A call's document, success or failure, which the client has held against the output schema."""
    with anyio.fail_after(30):
        result = await client.call_tool(name, arguments)
    block, *table = result.content
    assert isinstance(block, TextContent)
    assert json.loads(block.text) == result.structured_content
    assert isinstance(result.structured_content, dict)
    assert result.is_error == ("code" in result.structured_content)
    assert len(table) == bool(result.structured_content.get("rows"))
    return result.structured_content


def _check_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert find_invalid_x_mcp_header(schema) is None


async def test_the_tools_are_well_defined(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        tools: list[Tool] = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == NAMES
    for tool in tools:
        assert tool.title
        assert tool.description
        assert len(tool.description) > 80
        _check_schema(tool.input_schema)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        _check_schema(tool.output_schema)
        assert tool.annotations is not None
        assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)
        for name, schema in tool.input_schema["properties"].items():
            assert schema["description"], name


@pytest.mark.parametrize(
    ("granted", "missing", "tools"),
    [
        ("schemas:read", "query", {"run_sql", "explain_sql", "usage"}),
        ("query", "schemas:read", {"list_schemas", "list_tables", "describe_table"}),
    ],
)
@pytest.mark.parametrize("version", [None, "2025-11-25", "2026-07-28"])
async def test_a_tool_beyond_the_tokens_scopes_is_not_listed_and_a_call_of_it_is_a_step_up(
    service: Service, granted: str, missing: str, tools: set[str], version: str | None
) -> None:
    async with service.client("auto", (granted,)) as client:
        assert tools.isdisjoint(tool.name for tool in (await client.list_tools()).tools)
    token = service.issuer.token(scopes=(granted,))
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    if version is not None:
        headers["MCP-Protocol-Version"] = version
    async with httpx2.AsyncClient(headers=headers) as http:
        for tool in tools:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
            response = await http.post(service.resource, json=message)
            assert response.status_code == 403
            challenge = response.headers["www-authenticate"]
            assert 'error="insufficient_scope"' in challenge
            assert f'scope="{missing}"' in challenge


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("resources/read", {"uri": "dynamosql://schemas"}, "schemas:read"),
        ("resources/read", {"uri": "dynamosql://schemas/shop/tables/any"}, "schemas:read"),
        ("prompts/get", {"name": "explore_data"}, "schemas:read query"),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "explore_data"}, "argument": {"name": "schema", "value": ""}},
            "schemas:read query",
        ),
    ],
)
async def test_what_is_beyond_the_tokens_scopes_is_a_step_up(
    service: Service, method: str, params: dict[str, Any], needed: str
) -> None:
    token = service.issuer.token(scopes=("query",))
    document, headers = message("2025-11-25", 1, method, params)
    async with httpx2.AsyncClient(headers={**headers, "Authorization": f"Bearer {token}"}) as http:
        response = await http.post(service.resource, json=document)
    assert response.status_code == 403
    assert f'scope="{needed}"' in response.headers["www-authenticate"]


async def test_schemas_are_those_of_the_tenant(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        listed = await call(client, "list_schemas")
    assert listed == {
        "notice": NOTICE,
        "schemas": [
            {"name": "old", "region": "us-east-1", "status": "disabled", "default": False},
            {"name": "shop", "region": "us-east-1", "status": "active", "default": True},
        ],
    }


async def test_tables_are_those_of_the_allow_list(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        listed = await call(client, "list_tables", refresh="force")
        again = await call(client, "list_tables", schema_name="shop", refresh="skip")
    assert listed["schema_name"] == "shop"
    assert [table["physical_table_name"] for table in listed["tables"]] == [ORDERS, PEOPLE]
    assert listed["tables"][0]["qualified_name"] == f'shop."{ORDERS}"'
    assert listed["tables"][1]["qualified_name"] == f"shop.{PEOPLE}"
    assert (listed["truncated"], listed["refreshed"], again["refreshed"]) == (False, True, False)
    assert listed["refreshed_at"].endswith("Z")


async def test_a_description_shows_columns_and_keys(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        described = await call(client, "describe_table", table_name=ORDERS)
    columns = {column["name"]: column for column in described["columns"]}
    assert columns["customer"] == {
        "name": "customer",
        "type": "VARCHAR",
        "nullable": False,
        "presence": 1.0,
        "range": ["c0", "c4"],
    }
    assert columns["placed"]["format"] == "date, YYYY-MM-DD"
    assert columns["placed"]["type"] == "DATE"
    assert columns["total"]["type"] == "DECIMAL(38,2)"
    assert columns["note"]["nullable"]
    assert 0 < columns["note"]["presence"] < 1
    assert described["indexes"] == [
        {
            "name": "PRIMARY",
            "type": "PRIMARY",
            "hashKey": "customer",
            "hashKeyType": "S",
            "sortKey": "number",
            "sortKeyType": "N",
            "query": "customer = ?",
        },
        {"name": "by_day", "type": "GSI", "hashKey": "placed", "hashKeyType": "S", "query": "placed = ?"},
    ]


async def test_values_are_shown_to_those_who_may_query(service: Service, mode: str) -> None:
    async with service.client(mode, ("schemas:read",)) as client:
        described = await call(client, "describe_table", table_name=ORDERS)
    assert {name for column in described["columns"] for name in column} == {"name", "type", "nullable", "presence"}


async def test_a_join_is_answered_with_parameters_and_nulls(service: Service, mode: str) -> None:
    sql = f"""
        SELECT p.name, o.number, o.total, o.placed, o.note
        FROM "{ORDERS}" o JOIN {PEOPLE} p ON p.id = o.customer
        WHERE o.customer = ? AND o.number < ? ORDER BY o.number
    """
    async with service.client(mode) as client:
        result = await call(client, "run_sql", sql=sql, parameters=["c1", 12])
    assert [column["name"] for column in result["columns"]] == ["name", "number", "total", "placed", "note"]
    assert result["rows"] == [
        ["Person 1", 1, "1.25", "2026-01-02", "ünusual"],
        ["Person 1", 6, "6.25", "2026-01-07", None],
        ["Person 1", 11, "11.25", "2026-01-12", "ünusual"],
    ]
    assert (result["row_count"], result["next_cursor"], result["stop_reason"]) == (3, None, "complete")
    assert result["statistics"]["items_read"] > 0


async def test_pages_cover_the_result_once_and_a_cursor_is_its_owners_alone(service: Service, mode: str) -> None:
    arguments: dict[str, Any] = {"sql": f'SELECT number FROM "{ORDERS}" ORDER BY number', "max_rows": 100}
    numbers: list[int] = []
    async with service.client(mode) as client:
        page = await call(client, "run_sql", **arguments)
        cursor = page["next_cursor"]
        assert page["stop_reason"] == "row_limit"
        async with service.client(mode, subject="usr_2") as other:
            assert (await call(other, "run_sql", **arguments, cursor=cursor))["code"] == "cursor_invalid"
        foreign = await call(client, "run_sql", sql=f"SELECT id FROM {PEOPLE}", cursor=cursor)
        assert foreign["code"] == "cursor_invalid"
        forged = await call(
            client, "run_sql", **arguments, cursor=cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
        )
        assert forged["code"] == "cursor_invalid"
        while True:
            numbers += [row[0] for row in page["rows"]]
            if page["next_cursor"] is None:
                break
            page = await call(client, "run_sql", **arguments, cursor=page["next_cursor"])
    assert numbers == list(range(250))
    assert page["stop_reason"] == "complete"


async def test_an_explanation_reads_nothing_and_names_the_index(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        explained = await call(client, "explain_sql", sql=f"SELECT * FROM \"{ORDERS}\" WHERE placed = '2026-01-05'")
        keyed = await call(client, "explain_sql", sql=f"SELECT * FROM \"{ORDERS}\" WHERE customer = 'c1'")
    [scan] = keyed["scans"]
    assert (scan["access"], scan["table"]) == ("Query", f'shop."{ORDERS}"')
    assert "customer" in scan["key_condition"]
    assert "index" not in scan
    taken = {"items", "pages", "read_units", "seconds", "on_demand_usd", "provisioned_usd", "confidence"}
    assert set(scan["estimate"]) == taken
    assert explained["plan"]
    assert explained["normalized_sql"]
    assert explained["verdict"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"sql": "SELECT FROM WHERE"}, "syntax_error"),
        ({"sql": f"DROP TABLE {PEOPLE}"}, "statement_not_allowed"),
        ({"sql": f"DELETE FROM {PEOPLE}"}, "statement_not_allowed"),
        ({"sql": "SELECT 1; SELECT 2"}, "statement_not_allowed"),
        ({"sql": "SELECT * FROM nowhere"}, "unknown_table"),
        ({"sql": f"SELECT * FROM {OTHER}"}, "unknown_table"),
        ({"sql": f"SELECT * FROM theirs.{PEOPLE}"}, "unknown_schema"),
        ({"sql": f"SELECT * FROM {PEOPLE}", "schema_name": "theirs"}, "unknown_schema"),
        ({"sql": f"SELECT * FROM {PEOPLE}", "schema_name": "old"}, "unknown_schema"),
        ({"sql": f"SELECT nothing FROM {PEOPLE}"}, "unknown_column"),
        ({"sql": "SELECT * FROM read_csv('/etc/passwd')"}, "function_not_allowed"),
        ({"sql": "SELECT getenv('AWS_SECRET_ACCESS_KEY')"}, "function_not_allowed"),
        ({"sql": f"SELECT * FROM {PEOPLE} WHERE id = ?"}, "invalid_parameters"),
        ({"sql": f"SELECT CAST(name AS BIGINT) FROM {PEOPLE}"}, "evaluation_error"),
        ({"sql": "SELECT 1", "cursor": "nonsense"}, "cursor_invalid"),
        ({"sql": "SELECT 1", "max_rows": 1001}, "invalid_argument"),
        ({"sql": ""}, "invalid_argument"),
        ({}, "invalid_argument"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
async def test_what_cannot_be_run_fails_with_a_code_and_leaves_the_server_well(
    service: Service, arguments: dict[str, Any], code: str
) -> None:
    async with service.client("2026-07-28") as client:
        failure = await call(client, "run_sql", **arguments)
        assert failure["code"] == code, failure
        assert failure["message"]
        assert failure["next_action"]
        assert failure["request_id"]
        assert (await call(client, "run_sql", sql="SELECT 1 AS one"))["rows"] == [[1]]


async def test_a_failed_call_names_no_tool_that_the_token_does_not_cover(service: Service) -> None:
    tools = ("list_schemas", "list_tables", "describe_table")
    for sql in ("SHOW TABLES", "SELECT * FROM zzz", "SELECT zzz FROM information_schema.tables"):
        async with service.client("2026-07-28", scopes=("query",)) as client:
            failure = await call(client, "run_sql", sql=sql)
        assert "sign in again and grant schemas:read" in failure["next_action"]
        assert "next_call" not in failure
        async with service.client("2026-07-28") as client:
            failure = await call(client, "run_sql", sql=sql)
        assert any(tool in failure["next_action"] for tool in tools)
        assert failure["next_call"]["tool"] in tools


async def test_a_misspelt_argument_comes_back_put_right(service: Service) -> None:
    async with service.client("2026-07-28") as client:
        failure = await call(client, "run_sql", sql="SELECT 1 AS one", maxrows=5)
    right = {"sql": "SELECT 1 AS one", "max_rows": 5}
    assert failure["next_call"] == {"tool": "run_sql", "arguments": right}
