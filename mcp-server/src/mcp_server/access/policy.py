"""Whether a principal may do what a query would touch. Pure; every call is decided here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_server.access.footprint import Footprint
from mcp_server.access.rules import closes
from mcp_server.domain.failures.access import DeniedRead, DisabledSchemaDenied, SchemaDenied, TableDenied
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from shared_kernel import scope

_SEE_ALL_USAGE = frozenset({"owner", "admin"})
"""Roles whose people see what everybody of their workspace reads."""


@dataclass(frozen=True, slots=True)
class Allow:
    """The call may go on."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The call may not go on; `fact` is for the caller and tells nothing of other tenants."""

    fact: DeniedRead


def sees_all_usage(principal: Principal) -> bool:
    """Whether a principal may see what others of its tenant read; what it reads itself, everybody may see."""
    return not _SEE_ALL_USAGE.isdisjoint(principal.roles)


def sees_values(principal: Principal) -> bool:
    """Whether a principal is shown what samples of tables hold, of what rules leave: whoever may query may."""
    return scope.QUERY in principal.scopes


def decide(principal: Principal, footprint: Footprint, schemas: Mapping[str, Schema]) -> Allow | Deny:
    """Every table of the footprint must lie in an active schema of the principal's tenant, within its allow-list.

    A schema of another tenant is denied as one that does not exist, a table that a rule closes as one outside the
    allow-list.
    """
    for table in footprint.tables:
        schema = schemas.get(table.schema)
        if schema is None or schema.tenant != principal.tenant:
            return Deny(SchemaDenied(table.schema))
        if not schema.active:
            return Deny(DisabledSchemaDenied(table.schema))
        if not schema.shows(table.name) or closes(principal, schema, table.name):
            return Deny(TableDenied(table.schema, table.name))
    return Allow()
