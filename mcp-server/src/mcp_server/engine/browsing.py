"""list_schemas, list_tables and describe_table: what there is to query."""

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.limits import Limits
from mcp_server.engine.results import TableListing
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.tables import find_table
from mcp_server.ports.catalog import Catalog, Described, Refresh


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
        schema = self._schemas.find(principal, schema_name)
        listing = await self._catalog.list_tables(schema, refresh)
        shown = listing.names[: self._limits.listed_tables]
        tables = await self._catalog.summaries(schema, shown, refresh)
        return TableListing(
            schema_name=schema.name,
            tables=tuple(table for table in tables if self._denied(principal, table) is None),
            truncated=len(listing.names) > len(shown),
            refreshed=listing.refreshed,
            refreshed_at=listing.refreshed_at,
            stale_after_seconds=self._catalog.stale_after_seconds,
        )

    async def describe_table(
        self, principal: Principal, *, table_name: str, schema_name: str | None = None, refresh: Refresh = "if_stale"
    ) -> Described:
        """A table with its sampled columns and its indexes. Raises Failure."""
        schema = self._schemas.find(principal, schema_name)
        described = await find_table(self._catalog, schema, table_name, refresh)
        denied = self._denied(principal, described.table)
        if denied is not None:
            raise denied
        return described

    def _denied(self, principal: Principal, table: Table) -> Failure | None:
        columns = frozenset(column.name for column in table.columns)
        footprint = Footprint((TableAccess(table.schema, table.physical_name, columns),))
        decision = decide(principal, footprint, self._schemas.by_name)
        return denied(decision) if isinstance(decision, Deny) else None


def denied(decision: Deny) -> Failure:
    """The Failure for what policy does not allow."""
    return Failure(FailureCode.ACCESS_DENIED, decision.reason, "Use a schema and tables that list_tables shows.")
