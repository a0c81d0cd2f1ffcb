"""A catalogue of TPC-H's tables, for planning alone."""

from collections.abc import Sequence

from mcp_server.domain.restriction import Rows
from mcp_server.domain.schema import Schema, Table
from mcp_server.ports.catalog import Described, Listing, Payer, Refresh, Resample, Summaries
from mcp_server.ports.items import Observer
from tests.mcp_server.sql.test_tpch_plans import TABLES

BY_NAME = {table.name: table for table in TABLES.values()}


class TpchCatalog:
    """A Catalog that knows these tables from the start, and learns nothing."""

    stale_after_seconds = 3600

    async def list_tables(self, _schema: Schema, _refresh: Refresh) -> Listing:
        return Listing(tuple(BY_NAME), False, 0.0)

    async def summaries(self, _schema: Schema, names: Sequence[str], _refresh: Refresh) -> Summaries:
        return Summaries(tuple(BY_NAME[name] for name in names if name in BY_NAME))

    def known(self, _schema: Schema, physical_name: str, _rows: Rows = ()) -> Table | None:
        return BY_NAME.get(physical_name)

    async def describe(
        self, _schema: Schema, physical_name: str, _refresh: Resample, _rows: Rows = (), *, payer: Payer | None = None
    ) -> Described | None:
        return Described(BY_NAME[physical_name], False) if physical_name in BY_NAME else None

    async def probe(
        self,
        _schema: Schema,
        _name: str,
        _attribute: str,
        _observe: Observer,
        _rows: Rows = (),
        *,
        fields: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> bool:
        return False

    async def learn(self, _table: Table) -> None:
        return
