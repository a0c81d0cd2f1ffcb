"""list_schemas, list_tables and describe_table: what there is to query."""

import asyncio
from collections.abc import Sequence

import anyio

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.access.policy import Allow, Deny, decide, sees_values
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.names import Found, find_name, read_table_name
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.limits import Limits
from mcp_server.engine.payers import PayingCaller
from mcp_server.engine.results import TableListing, UndescribedTable
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.spending import Spending
from mcp_server.engine.tables import find_table, table_names
from mcp_server.ports import call_notes
from mcp_server.ports.catalog import Catalog, Described, Refresh, Resample, Summaries
from mcp_server.ports.disclosures import Disclosures
from mcp_server.ports.usage import UsageLog

_SAMPLED_AT_ONCE = 4
_NONE: frozenset[str] = frozenset()


class BrowsingService:
    """Shows principals the schemas, tables and columns of their tenant."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        catalog: Catalog,
        spending: Spending,
        usage: UsageLog,
        disclosures: Disclosures,
        limits: Limits,
    ) -> None:
        self._schemas, self._catalog, self._limits = schemas, catalog, limits
        self._spending, self._usage, self._disclosures = spending, usage, disclosures

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

    async def table_names(self, principal: Principal, schema_name: str | None = None) -> tuple[str, ...]:
        """The names of a schema's tables, without a look at the tables. Raises Failure."""
        schema = self._schemas.find(principal, schema_name)
        names = await table_names(self._catalog, self._schemas, principal, schema)
        return tuple(name for name in names if self._may_read(principal, TableAccess(schema.name, name, _NONE)))

    async def list_tables(
        self,
        principal: Principal,
        *,
        schema_name: str | None = None,
        refresh: Refresh = "if_stale",
        sampled: bool = False,
    ) -> TableListing:
        """The tables of a schema, at most 200 with no columns but the keys, or 25 `sampled` ones.

        Those that cannot be described stand apart, among them those for whose sample the caller's budget has nothing
        left. Raises Failure, also where that is so of all of them.
        """
        schema = self._schemas.find(principal, schema_name)
        listing = await self._catalog.list_tables(schema, refresh)
        names = [name for name in listing.names if self._may_read(principal, TableAccess(schema.name, name, _NONE))]
        shown = names[: self._limits.sampled_tables if sampled else self._limits.listed_tables]
        if sampled:
            found = await self._sampled(principal, schema, shown, refresh)
        else:
            found = await self._catalog.summaries(schema, shown, refresh)
        if found.failures and not found.tables:
            raise next(iter(found.failures.values()))
        views = [self._view(principal, table) for table in found.tables]
        tables = tuple(view for view in views if isinstance(view, Table))
        _note(*tables)
        return TableListing(
            schema_name=schema.name,
            tables=tables,
            undescribed=tuple(
                UndescribedTable(name, failure)
                for name, failure in found.failures.items()
                if self._may_see(principal, schema, name)
            ),
            truncated=len(names) > len(shown),
            refreshed=listing.refreshed,
            refreshed_at=listing.refreshed_at,
            stale_after_seconds=self._catalog.stale_after_seconds,
        )

    async def describe_table(
        self, principal: Principal, *, table_name: str, schema_name: str | None = None, refresh: Refresh = "if_stale"
    ) -> Described:
        """A table with its sampled columns and its indexes; its name may be as SQL writes it. Raises Failure.

        The caller is expected to show it, with the values of the sample if they may see them.
        """
        *first, last = self._meanings(principal, schema_name, table_name)
        for schema, name in first:
            try:
                return await self._described(principal, schema, name, refresh)
            except Failure as failure:
                if failure.code is not FailureCode.UNKNOWN_TABLE:
                    raise
        return await self._described(principal, *last, refresh)

    def _meanings(self, principal: Principal, schema_name: str | None, table_name: str) -> list[tuple[Schema, str]]:
        """What a name may mean: what it says, since DynamoDB allows dots in names, then what it says as SQL."""
        schema = self._schemas.find(principal, schema_name)
        meanings = [(schema, table_name)]
        written_schema, written_table = read_table_name(table_name)
        if written_schema is not None:
            match find_name(written_schema, [one.name for one in self._schemas.of(principal) if one.active]):
                case Found(found) if schema_name is None or found == schema.name:
                    meanings.append((self._schemas.by_name[found], written_table))
        elif written_table != table_name:
            meanings.append((schema, written_table))
        return meanings

    async def _described(self, principal: Principal, schema: Schema, name: str, refresh: Refresh) -> Described:
        payer = await self._payer(principal)
        described = await find_table(self._catalog, self._schemas, principal, schema, name, _resample(refresh), payer)
        decision = self._decision(principal, _access(described.table))
        if isinstance(decision, Deny):
            raise Failure(decision.fact)
        _note(described.table)
        if sees_values(principal):
            self._disclosures.values_shown(principal, (_written(described.table),))
        return described

    async def _payer(self, principal: Principal) -> PayingCaller:
        account = await self._spending.current(principal)
        return PayingCaller(principal, account, self._schemas, self._usage)

    async def _sampled(self, principal: Principal, schema: Schema, names: Sequence[str], refresh: Refresh) -> Summaries:
        """Those of the tables that exist, sampled a few at a time."""
        turns, payer = anyio.Semaphore(_SAMPLED_AT_ONCE), await self._payer(principal)

        async def sample(name: str) -> Described | Failure | None:
            async with turns:
                rows = self._schemas.views.rows(principal, schema, name)
                try:
                    return await self._catalog.describe(schema, name, _resample(refresh), rows, payer=payer)
                except Failure as failure:
                    return failure

        found = await asyncio.gather(*map(sample, names))
        failures = {name: one for name, one in zip(names, found, strict=True) if isinstance(one, Failure)}
        return Summaries(tuple(one.table for one in found if isinstance(one, Described)), failures)

    def _view(self, principal: Principal, table: Table) -> Table | Deny:
        decision = self._decision(principal, _access(table))
        if isinstance(decision, Deny):
            return decision
        return self._schemas.views.of(principal, self._schemas.by_name[table.schema], table)

    def _may_see(self, principal: Principal, schema: Schema, name: str) -> bool:
        """Whether a table that cannot be described is there for a principal, whatever its key is."""
        closed = self._schemas.views.may_close(principal, schema, name)
        return not closed and self._may_read(principal, TableAccess(schema.name, name, _NONE))

    def _may_read(self, principal: Principal, access: TableAccess) -> bool:
        return not isinstance(self._decision(principal, access), Deny)

    def _decision(self, principal: Principal, access: TableAccess) -> Allow | Deny:
        return decide(principal, Footprint((access,)), self._schemas.by_name)


def _access(table: Table) -> TableAccess:
    return TableAccess(table.schema, table.name, frozenset(column.name for column in table.columns))


def _resample(refresh: Refresh) -> Resample:
    """A caller who goes on asking for new samples gets the same for a while: the table serves others too."""
    return "recent" if refresh == "force" else refresh


def _note(*tables: Table) -> None:
    """The line of the call names what it shows."""
    call_notes.current().names(map(_written, tables))


def _written(table: Table) -> str:
    return f"{table.schema}.{table.name}"
