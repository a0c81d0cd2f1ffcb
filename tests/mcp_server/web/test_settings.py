"""Settings and the schemas file: what is accepted, and what each mistake is told."""

from dataclasses import asdict
from pathlib import Path

import pytest

from mcp_server.adapters.schemas_file import BadSchemasFile, SchemasFile, read
from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.schema import ColumnType, Override, Role, Schema, TypeKind
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.engine.limits import Limits
from mcp_server.settings import Settings
from shared_kernel.settings import BadSettings

GOOD = {
    "MCP_RESOURCE": "https://mcp.example.com/mcp",
    "MCP_ISSUER": "https://auth.example.com",
    "MCP_SCHEMAS_FILE": "/etc/mcp/schemas.toml",
    "MCP_CURSOR_KEY_FILE": "/etc/mcp/cursor.key",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults_listen_on_loopback_and_trust_nobody(environment: pytest.MonkeyPatch) -> None:
    settings = Settings.load()
    assert (settings.host, settings.port, settings.trusted_proxies) == ("127.0.0.1", 8000, ())
    assert settings.keys_url == "https://auth.example.com/.well-known/jwks.json"


def test_the_key_set_can_be_fetched_from_elsewhere(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MCP_JWKS_URL", "http://auth.internal:9000/.well-known/jwks.json")
    assert Settings.load().keys_url == "http://auth.internal:9000/.well-known/jwks.json"


def test_the_settings_that_narrow_limits_default_to_the_built_in_limits(environment: pytest.MonkeyPatch) -> None:
    """One default, stated in docs/settings.md and in docs/sql.md, cannot become two."""
    settings, limits = Settings.load(), asdict(Limits())
    narrowed = {name: value for name, value in settings.model_dump().items() if name in limits}
    assert narrowed.keys() == {
        "deadline_seconds",
        "queue_seconds",
        "cursor_seconds",
        "read_units",
        "confirm_read_units",
        "read_units_per_hour",
        "queries_per_tenant",
        "queries_per_principal",
    }
    assert narrowed == {name: limits[name] for name in narrowed}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_required_is_asked_for_by_name(environment: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    environment.delenv(name) if value is None else environment.setenv(name, value)
    with pytest.raises(BadSettings, match=f"^{name} is not set, for example "):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MCP_RESOURCE", "mcp.example.com", "MCP_RESOURCE is not an absolute http"),
        ("MCP_RESOURCE", "https://mcp.example.com/mcp#x", "MCP_RESOURCE is not an absolute http"),
        ("MCP_RESOURCE", "https://mcp.example.com/mcp/", "must be written https://mcp.example.com/mcp "),
        ("MCP_RESOURCE", "https://MCP.example.com:443/mcp", "must be written https://mcp.example.com/mcp "),
        ("MCP_RESOURCE", "https://mcp.example.com/mcp?x=1", "MCP_RESOURCE must have no query"),
        ("MCP_RESOURCE", "http://mcp.example.com/mcp", "MCP_RESOURCE must use https"),
        ("MCP_ISSUER", "http://auth.example.com", "MCP_ISSUER must use https"),
        ("MCP_ISSUER", "https://auth.example.com/", "MCP_ISSUER must be written https://auth.example.com "),
        ("MCP_JWKS_URL", "file:///etc/passwd", "MCP_JWKS_URL is not an absolute http"),
        ("MCP_PORT", "http", "MCP_PORT "),
        ("MCP_PORT", "70000", "MCP_PORT "),
        ("MCP_ALLOWED_ORIGINS", "https://a.example/path", "MCP_ALLOWED_ORIGINS must hold origins"),
        ("MCP_ALLOWED_ORIGINS", "*", "MCP_ALLOWED_ORIGINS must hold origins"),
        ("MCP_TRUSTED_PROXIES", "10.0.0.0/33", "MCP_TRUSTED_PROXIES must hold networks"),
        ("MCP_LOG_LEVEL", "chatty", "MCP_LOG_LEVEL "),
        ("MCP_DEADLINE_SECONDS", "301", "MCP_DEADLINE_SECONDS "),
        ("MCP_DEADLINE_SECONDS", "0", "MCP_DEADLINE_SECONDS "),
        ("MCP_QUEUE_SECONDS", "6", "MCP_QUEUE_SECONDS "),
        ("MCP_CURSOR_SECONDS", "901", "MCP_CURSOR_SECONDS "),
        ("MCP_READ_UNITS", "10000001", "MCP_READ_UNITS "),
        ("MCP_SHUTDOWN_SECONDS", "0", "MCP_SHUTDOWN_SECONDS "),
    ],
)
def test_a_mistake_is_named_with_its_remedy_on_one_line(
    environment: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(BadSettings) as bad:
        Settings.load()
    assert problem in str(bad.value)
    assert "\n" not in str(bad.value)


def schemas(tmp_path: Path, text: str) -> SchemasFile:
    path = tmp_path / "schemas.toml"
    path.write_text(text, "utf-8")
    return read(path)


def test_a_schemas_file_becomes_schemas(tmp_path: Path) -> None:
    file = schemas(
        tmp_path,
        """
        [[schema]]
        name = "archive"
        tenant = "default"
        region = "eu-west-1"
        status = "disabled"

        [[schema]]
        name = "demo"
        tenant = "default"
        region = "us-east-1"
        endpoint_url = "http://127.0.0.1:4566"
        role_arn = "arn:aws:iam::111122223333:role/readers/dynamo"
        external_id = "a:b-1"
        tables = ["orders", "line-items"]
        default = true
        [schema.columns.orders.o_orderdate]
        type = "date"
        not_null = true
        [schema.columns.orders.o_totalprice]
        type = "DECIMAL(38, 2)"
        [schema.columns.orders.o_at]
        type = "timestamptz"
        [schema.columns.orders.o_expires]
        type = "TIMESTAMPTZ"
        unit = "ms"
        [schema.columns.orders."odd name"]
        not_null = true
        [[schema.virtual_tables]]
        name = "open_orders"
        source = "app_data"
        attributes = { pk = "ORDER#{order_id}", status = "OPEN" }
        [[schema.rules]]
        table = "orders"
        except_roles = ["admin"]
        hidden = ["card"]
        masked = { email = "last4" }
        [[schema.rules]]
        table = "orders"
        rows = { region = ["EU", 7, "USER#$subject", "$$5"] }
        [[schema.rules]]
        table = "line-items"
        except_roles = ["owner"]
        closed = true
        """,
    )
    assert file.defaults == {"default": "demo"}
    assert file.schemas == (
        Schema("archive", "default", "eu-west-1", active=False),
        Schema(
            "demo",
            "default",
            "us-east-1",
            endpoint_url="http://127.0.0.1:4566",
            role=Role("arn:aws:iam::111122223333:role/readers/dynamo", "a:b-1"),
            tables=frozenset({"orders", "line-items"}),
            overrides={
                "orders": {
                    "o_orderdate": Override(ColumnType(TypeKind.DATE), not_null=True),
                    "o_totalprice": Override(ColumnType(TypeKind.DECIMAL, scale=2)),
                    "o_at": Override(ColumnType(TypeKind.TIMESTAMPTZ)),
                    "o_expires": Override(ColumnType(TypeKind.TIMESTAMPTZ, unit="ms")),
                    "odd name": Override(not_null=True),
                }
            },
            virtual_tables={
                "open_orders": VirtualTable(
                    "open_orders",
                    "app_data",
                    (("pk", Template.parse("ORDER#{order_id}")), ("status", Template.parse("OPEN"))),
                )
            },
            rules={
                "orders": (
                    Rule("orders", frozenset({"admin"}), frozenset({"card"}), (("email", Mask.LAST4),)),
                    Rule("orders", rows=(("region", frozenset({"EU", "7", "USER#$subject", "$$5"})),)),
                ),
                "line-items": (Rule("line-items", frozenset({"owner"}), closed=True),),
            },
        ),
    )


_VIRTUAL = "[[schema.virtual_tables]]\nname = 'some'\nsource = 'other'\n"
_BASE = '[[schema]]\nname = "a"\ntenant = "t"\nregion = "r"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file: must hold at least one [[schema]]"),
        ("schema = 1", "the file: must hold at least one [[schema]]"),
        ("schema = []", "the file: must hold at least one [[schema]]"),
        ("schema = [1]", "schema 1: must be a table of keys"),
        ("[[schema", "not TOML: "),
        ("[[schema]]\ntenant = 't'", "schema 1.name: field required"),
        ("[[schema]]\nname = 'a b'\ntenant = 't'\nregion = 'r'", "schema 1.name: string should match pattern"),
        ("[[schema]]\nname = 'a'\nregion = 'r'", 'schema "a".tenant: field required'),
        ("[[schema]]\nname = 'a'\ntenant = 't'", 'schema "a".region: field required'),
        ("[[schema]]\nname = 'a'\ntenant = ' '\nregion = 'r'", 'schema "a".tenant: string should match pattern'),
        ("[[schema]]\nname = 'a'\ntenant = 7\nregion = 'r'", 'schema "a".tenant: input should be a valid string'),
        (_BASE + "color = 'red'", 'schema "a".color: is not known'),
        ("title = 'x'\n" + _BASE, "title: is not known"),
        (_BASE + "status = 'off'", "schema \"a\".status: input should be 'active' or 'disabled'"),
        (_BASE + "endpoint_url = '127.0.0.1:4566'", 'schema "a".endpoint_url: must be an absolute http(s) URL'),
        (_BASE + "tables = 'orders'", 'schema "a".tables: input should be a valid list'),
        (_BASE + "tables = ['orders', 'a/b/c']", 'schema "a".tables.1: string should match pattern'),
        (_BASE + "default = 'yes'", 'schema "a".default: input should be a valid boolean'),
        (_BASE + _BASE.replace('"a"', '"A"'), 'schema "A" is there twice'),
        (_BASE + "default = true\n" + _BASE.replace('"a"', '"b"') + "default = true", 'tenant "t" has two default'),
        (_BASE + "columns = 1", 'schema "a".columns: input should be a valid dictionary'),
        (_BASE + "[schema.columns]\norders = 1", 'schema "a".columns.orders: input should be a valid dictionary'),
        (_BASE + "[schema.columns.orders]\nx = 'DATE'", 'schema "a".columns.orders.x: must be a table of keys'),
        (_BASE + "[schema.columns.orders.x]", 'schema "a".columns.orders.x: must set type or not_null'),
        (_BASE + "[schema.columns.orders.x]\ntype = 'INT'", "columns.orders.x.type: must be one of DATE, "),
        (_BASE + "[schema.columns.orders.x]\ntype = 'DECIMAL(38,39)'", "columns.orders.x.type: must be one of "),
        (_BASE + "[schema.columns.orders.x]\ntype = 'DECIMAL(10,2)'", "columns.orders.x.type: must be one of "),
        (_BASE + "[schema.columns.orders.x]\ntype = 'DATE'\nunit = 's'", "columns.orders.x: has a unit, which only a"),
        (_BASE + "[schema.columns.orders.x]\nunit = 's'", "columns.orders.x: has a unit, which only a TIMESTAMPTZ has"),
        (_BASE + "[schema.columns.orders.x]\ntype = 'TIMESTAMPTZ'\nunit = 'ns'", "columns.orders.x.unit: input should"),
        (_BASE + "[schema.columns.orders.x]\nnullable = true", "columns.orders.x.nullable: is not known"),
        (_BASE + _VIRTUAL + "attributes = {}", "virtual_tables.0.attributes: dictionary should have at least 1 item"),
        (_BASE + _VIRTUAL + "attributes = {pk = 'A{x'}", "virtual_tables.0.attributes.pk: has a brace without"),
        (
            _BASE + _VIRTUAL + "attributes = {pk = 7}",
            "virtual_tables.0.attributes.pk: must be a text such as ORDER#{order_id}",
        ),
        (_BASE + _VIRTUAL + "attributes = {pk = 'A{sk}', sk = 'B'}", "0: names a column as an attribute, sk"),
        (
            _BASE + "tables = ['Some']\n" + _VIRTUAL.replace("some", "sOME") + "attributes = {pk = 'A'}",
            'schema "a": has two tables called some',
        ),
        (
            _BASE + _VIRTUAL + "attributes = {pk = 'A'}\n[[schema.rules]]\ntable = 'some'\nhidden = ['x']",
            'schema "a": has a rule of some, which is virtual; write one of the table behind it',
        ),
        (
            _BASE + _VIRTUAL + "attributes = {pk = 'A#{x}'}\n[[schema.rules]]\ntable = 'other'\nmasked = {x = 'null'}",
            'schema "a": has a rule that keeps back x, which some takes out of pk; name that attribute',
        ),
        (_BASE + "external_id = 'x1'", 'schema "a": has an external_id without a role_arn'),
        (_BASE + "role_arn = 'arn:aws:iam::1:user/x'", 'schema "a".role_arn: string should match pattern'),
        (_BASE + "[[schema.rules]]\nhidden = ['x']", 'schema "a".rules.0.table: field required'),
        (
            _BASE + "[[schema.rules]]\ntable = 'orders'\nclosed = true\nhidden = ['x']",
            'schema "a".rules.0: closes the table, which leaves nothing',
        ),
        (_BASE + "[[schema.rules]]\ntable = 'orders'\nclosed = false", "must set closed, hidden, masked or rows"),
        (_BASE + "[[schema.rules]]\ntable = 'orders'", 'schema "a".rules.0: must set closed, hidden, masked or rows'),
        (
            _BASE + "[[schema.rules]]\ntable = 'orders'\nmasked = {x = 'hash'}",
            "rules.0.masked.x: input should be 'null'",
        ),
        (
            _BASE + "[[schema.rules]]\ntable = 'orders'\nrows = {x = ['USER#$user']}",
            "rules.0.rows.x.0: has $user, which is none of $subject, $tenant, $client_id; write $$ for a dollar sign",
        ),
        (
            _BASE + "[[schema.rules]]\ntable = 'orders'\nrows = {x = ['USER$subject']}",
            "rules.0.rows.x.0: has $subject beside something else without a separator such as #",
        ),
        (_BASE + "[[schema.rules]]\ntable = 'orders'\nrows = {x = []}", "rules.0.rows.x: list should have at least 1"),
        (_BASE + "[[schema.rules]]\ntable = 'orders'\nrows = {x = [true]}", "rules.0.rows.x.0"),
        (
            _BASE + "tables = ['orders']\n[[schema.rules]]\ntable = 'order'\nhidden = ['x']",
            'schema "a": has a rule of order, which tables does not show',
        ),
        (_BASE + "[schema.columns.orders.x]\nnot_null = 1", "columns.orders.x.not_null: input should be a valid bool"),
    ],
)
def test_a_mistake_in_the_schemas_file_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadSchemasFile) as bad:
        schemas(tmp_path, text)
    assert problem in str(bad.value)
    assert str(tmp_path) in str(bad.value)
    assert "\n" not in str(bad.value)


def test_a_missing_schemas_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSchemasFile, match="No such file"):
        read(tmp_path / "none.toml")
