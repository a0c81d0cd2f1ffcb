"""list_schemas, list_tables and describe_table: what there is to query."""

from mcp_server.access.principal import Principal
from mcp_server.engine.limits import Limits
from mcp_server.engine.results import TableListing
from mcp_server.engine.schemas import Schemas
from mcp_server.planning.schema import Schema
from mcp_server.ports import Catalog, Described, Refresh


class BrowsingService:
    """Shows principals the schemas, tables and columns of their tenant."""

    def __init__(self, *, schemas: Schemas, catalog: Catalog, limits: Limits) -> None:
        self._schemas = schemas
        self._catalog = catalog
        self._limits = limits

    @property
    def stale_after_seconds(self) -> int:
        """After how long `if_stale` refreshes."""
        return self._catalog.stale_after_seconds

    def list_schemas(self, principal: Principal) -> tuple[Schema, ...]:
        """The schemas of the principal's tenant, disabled ones included."""
        return self._schemas.of(principal)

    def default_schema(self, principal: Principal) -> Schema | None:
        """The schema that unqualified table names belong to."""
        return self._schemas.default(principal)

    async def list_tables(
        self, principal: Principal, *, schema_name: str | None = None, refresh: Refresh = "if_stale"
    ) -> TableListing:
        """The tables of a schema, at most 200; their columns are only the keys. Raises Failure."""
        raise NotImplementedError

    async def describe_table(
        self, principal: Principal, *, table_name: str, schema_name: str | None = None, refresh: Refresh = "if_stale"
    ) -> Described:
        """A table with its sampled columns and its indexes. Raises Failure."""
        raise NotImplementedError
