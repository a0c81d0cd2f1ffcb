"""What one call learns of columns whose values do not fit the types that samples gave them."""

from collections.abc import Collection
from dataclasses import replace

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import UnexpectedTypes
from mcp_server.domain.schema import Table, as_document
from mcp_server.engine.payers import PayingCaller
from mcp_server.engine.schemas import Schemas
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.items import SchemaConflict

MAX_CONFLICTS = 8
"""How many wider columns one call may learn of, and start again."""


class WiderColumns:
    """Tells the catalogue of the columns that a call met wider than it knew them."""

    def __init__(self, catalog: Catalog, schemas: Schemas) -> None:
        self._catalog, self._schemas = catalog, schemas
        self._met: set[tuple[str, str, str, bool]] = set()
        """Schema, table and column, and whether it was made a document."""

    async def learn(self, conflict: SchemaConflict, payer: PayingCaller) -> None:
        """Learns of wider columns. A shape that was not the last one, either, is given up: the column is JSON then.

        Raises Failure: where a column is wider once more, or too many are.
        """
        table = conflict.table
        again = {name for name in conflict.columns if (table.schema, table.name, name, False) in self._met}
        table = replace(table, columns=tuple(as_document(one) if one.name in again else one for one in table.columns))
        schema = self._schemas.by_name[table.schema]
        sampled = await self._catalog.describe(schema, table.name, "skip", table.rows, payer=payer)
        # The planner may have put sizes that were observed in place of the catalogue's, which all callers share.
        await self._catalog.learn(table if sampled is None else _with_wider(sampled.table, table, conflict.columns))
        wider = {(table.schema, table.name, name, name in again) for name in conflict.columns}
        shapeless = {name for name in again if table.column(name) == conflict.table.column(name)}
        if shapeless or wider & self._met or len(self._met) >= MAX_CONFLICTS:
            raise Failure(UnexpectedTypes(conflict.table.name, conflict.columns)) from conflict
        self._met |= wider


def _with_wider(known: Table, met: Table, names: Collection[str]) -> Table:
    """A table with some columns as they were met. It may know of others since, which a page that goes on leaves out."""
    wider = {column.name: column for column in met.columns if column.name in names}
    columns = [wider.pop(column.name, column) for column in known.columns]
    return replace(known, columns=(*columns, *wider.values()))
