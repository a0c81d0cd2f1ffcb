"""Which schemas a principal can name."""

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.schemas import DisabledSchema, NoSchema, UnknownSchema
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.schemas import Schemas

SCHEMAS = Schemas(
    (
        Schema("sales", "acme", "eu-central-1"),
        Schema("Stock", "acme", "eu-central-1"),
        Schema("old", "acme", "eu-central-1", active=False),
        Schema("rival", "globex", "eu-central-1"),
    ),
    {"acme": "Stock"},
)


def principal(tenant: str) -> Principal:
    return Principal(tenant, "usr_1", "c", frozenset({"query"}), "gid")


def test_a_principal_sees_its_tenants_schemas() -> None:
    assert [schema.name for schema in SCHEMAS.of(principal("acme"))] == ["sales", "Stock", "old"]
    assert SCHEMAS.of(principal("nobody")) == ()


def test_defaults() -> None:
    assert SCHEMAS.find(principal("acme"), None).name == "Stock"
    assert SCHEMAS.find(principal("globex"), None).name == "rival"
    assert SCHEMAS.default(principal("nobody")) is None
    with pytest.raises(Failure) as raised:
        SCHEMAS.find(principal("nobody"), None)
    assert raised.value.fact == NoSchema()


def test_names_are_found_in_any_case() -> None:
    assert SCHEMAS.find(principal("acme"), "STOCK").name == "Stock"


def test_another_tenants_schema_is_as_unknown_as_none() -> None:
    for name in ("rival", "nosuch"):
        with pytest.raises(Failure) as raised:
            SCHEMAS.find(principal("acme"), name)
        assert raised.value.fact == UnknownSchema(name, ("sales", "Stock"))  # and not the disabled one


def test_a_disabled_schema_is_named_to_its_own_tenant_only() -> None:
    with pytest.raises(Failure) as raised:
        SCHEMAS.find(principal("acme"), "old")
    assert raised.value.fact == DisabledSchema("old")
    with pytest.raises(Failure) as raised:
        SCHEMAS.find(principal("globex"), "old")
    assert raised.value.fact == UnknownSchema("old", ("rival",))
