"""Who may read what is decided in one place."""

from dataclasses import replace

import pytest

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.access.policy import Allow, Deny, decide
from mcp_server.domain.failures.access import DeniedRead, DisabledSchemaDenied, SchemaDenied, TableDenied
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Rule
from mcp_server.domain.schema import Schema
from mcp_server.domain.virtual_table import VirtualTable

PRINCIPAL = Principal("default", "usr_1", "client", frozenset({"query"}), "gid")
SCHEMAS = {
    "demo": Schema("demo", "default", "us-east-1", tables=frozenset({"orders"})),
    "open": Schema("open", "default", "us-east-1"),
    "off": Schema("off", "default", "us-east-1", active=False),
    "ruled": Schema(
        "ruled",
        "default",
        "us-east-1",
        rules={"payroll": (Rule("payroll", frozenset({"owner"}), closed=True),)},
        virtual_tables={"payslips": VirtualTable("payslips", "payroll", ())},
    ),
    "foreign": Schema("foreign", "other", "us-east-1"),
}


def _footprint(*tables: tuple[str, str]) -> Footprint:
    return Footprint(tuple(TableAccess(schema, name, frozenset({"id"})) for schema, name in tables))


@pytest.mark.parametrize("tables", [(), (("demo", "orders"),), (("open", "anything"), ("demo", "orders"))])
def test_own_active_schemas_are_allowed(tables: tuple[tuple[str, str], ...]) -> None:
    assert decide(PRINCIPAL, _footprint(*tables), SCHEMAS) == Allow()


def test_a_table_that_a_rule_closes_is_open_to_the_roles_that_it_excepts() -> None:
    owner = replace(PRINCIPAL, roles=frozenset({"owner"}))
    assert decide(owner, _footprint(("ruled", "payroll"), ("ruled", "payslips")), SCHEMAS) == Allow()


@pytest.mark.parametrize(
    ("tables", "fact"),
    [
        ((("demo", "orders"), ("demo", "secrets")), TableDenied("demo", "secrets")),
        ((("ruled", "orders"), ("ruled", "payroll")), TableDenied("ruled", "payroll")),
        ((("ruled", "payslips"),), TableDenied("ruled", "payslips")),
        ((("off", "orders"),), DisabledSchemaDenied("off")),
        ((("foreign", "orders"),), SchemaDenied("foreign")),
        ((("nowhere", "orders"),), SchemaDenied("nowhere")),
    ],
)
def test_everything_else_is_denied(tables: tuple[tuple[str, str], ...], fact: DeniedRead) -> None:
    """Another tenant's schema is denied as one that does not exist."""
    assert decide(PRINCIPAL, _footprint(*tables), SCHEMAS) == Deny(fact)
