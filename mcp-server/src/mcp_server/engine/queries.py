"""run_sql and explain_sql: from text to a page of rows."""

from collections.abc import Mapping, Sequence

from mcp_server.access.principal import Principal
from mcp_server.engine.limits import Limits
from mcp_server.engine.results import Explanation, QueryResult
from mcp_server.engine.schemas import Schemas
from mcp_server.ports import Catalog, ItemSource, RelationalEngine, Spool
from mcp_server.sql.parse import JsonValue
from shared_kernel.clock import Clock

Parameters = Sequence[JsonValue] | Mapping[str, JsonValue] | None


class QueryService:
    """Runs statements for principals. Every Failure it raises is fit for its caller's eyes."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        catalog: Catalog,
        items: ItemSource,
        relational: RelationalEngine,
        spool: Spool,
        cursor_key: bytes,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._schemas = schemas
        self._catalog = catalog
        self._items = items
        self._relational = relational
        self._spool = spool
        self._cursor_key = cursor_key
        self._clock = clock
        self._limits = limits

    async def run_sql(
        self,
        principal: Principal,
        *,
        sql: str,
        schema_name: str | None = None,
        parameters: Parameters = None,
        max_rows: int = 100,
        cursor: str | None = None,
        consistent_read: bool = False,
        allow_full_scan: bool = False,
        max_read_units: float | None = None,
    ) -> QueryResult:
        """The first page of a statement's result, or with `cursor` a later one of the same run. Raises Failure."""
        raise NotImplementedError

    async def explain_sql(
        self, principal: Principal, *, sql: str, schema_name: str | None = None, parameters: Parameters = None
    ) -> Explanation:
        """How run_sql would read for a statement. Raises Failure; reads no items but the catalogue's samples."""
        raise NotImplementedError
