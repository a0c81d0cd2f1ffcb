"""Which schemas a principal can see, and which one a statement means when it names none."""

from collections.abc import Mapping

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.schemas import AmbiguousSchema, DisabledSchema, NoSchema, UnknownSchema
from mcp_server.domain.names import Ambiguous, Found, NotFound, find_name
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.views import Views


class Schemas:
    """All configured schemas; `defaults` names the default schema of a tenant, else it is the tenant's first one."""

    def __init__(self, schemas: tuple[Schema, ...], defaults: Mapping[str, str] | None = None) -> None:
        self.by_name: Mapping[str, Schema] = {schema.name: schema for schema in schemas}
        self.views = Views()
        self._defaults = dict(defaults or {})

    def of(self, principal: Principal) -> tuple[Schema, ...]:
        """The schemas of the principal's tenant, disabled ones included, in the order of the settings."""
        return tuple(schema for schema in self.by_name.values() if schema.tenant == principal.tenant)

    def default(self, principal: Principal) -> Schema | None:
        """The schema of unqualified names; None if the tenant has none."""
        schemas = self.of(principal)
        named = self._defaults.get(principal.tenant)
        return next((schema for schema in schemas if schema.name == named), schemas[0] if schemas else None)

    def find(self, principal: Principal, name: str | None) -> Schema:
        """The active schema of that name, or the default one. Another tenant's schema is reported as unknown.

        Raises Failure: unknown_schema, ambiguous_name.
        """
        if name is None:
            schema = self.default(principal)
            if schema is None:
                raise Failure(NoSchema())
        else:
            names = tuple(schema.name for schema in self.of(principal))
            match find_name(name, names):
                case Found(found):
                    schema = self.by_name[found]
                case Ambiguous(candidates):
                    raise Failure(AmbiguousSchema(name, candidates))
                case NotFound(near):
                    active = tuple(one for one in names if self.by_name[one].active)
                    raise Failure(UnknownSchema(name, active, tuple(one for one in near if one in active)))
        if not schema.active:
            raise Failure(DisabledSchema(schema.name))
        return schema
