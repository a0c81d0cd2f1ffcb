"""Who may read what is decided in one place."""

import pytest

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.access.policy import Allow, Deny, decide
from mcp_server.domain.failures.access import DeniedRead, DisabledSchemaDenied, SchemaDenied, TableDenied
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema

PRINCIPAL = Principal("default", "usr_1", "client", frozenset({"query"}), "gid")
SCHEMAS = {
    "demo": Schema("demo", "default", "us-east-1", tables=frozenset({"orders"})),
    "open": Schema("open", "default", "us-east-1"),
    "off": Schema("off", "default", "us-east-1", active=False),
    "foreign": Schema("foreign", "other", "us-east-1"),
}


def _footprint(*tables: tuple[str, str]) -> Footprint:
    return Footprint(tuple(TableAccess(schema, name, frozenset({"id"})) for schema, name in tables))


@pytest.mark.parametrize("tables", [(), (("demo", "orders"),), (("open", "anything"), ("demo", "orders"))])
def test_own_active_schemas_are_allowed(tables: tuple[tuple[str, str], ...]) -> None:
    assert decide(PRINCIPAL, _footprint(*tables), SCHEMAS) == Allow()


@pytest.mark.parametrize(
    ("tables", "fact"),
    [
        ((("demo", "orders"), ("demo", "secrets")), TableDenied("demo", "secrets")),
        ((("off", "orders"),), DisabledSchemaDenied("off")),
        ((("foreign", "orders"),), SchemaDenied("foreign")),
        ((("nowhere", "orders"),), SchemaDenied("nowhere")),
    ],
)
def test_everything_else_is_denied(tables: tuple[tuple[str, str], ...], fact: DeniedRead) -> None:
    """Another tenant's schema is denied as one that does not exist."""
    assert decide(PRINCIPAL, _footprint(*tables), SCHEMAS) == Deny(fact)
