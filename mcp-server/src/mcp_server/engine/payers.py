"""Who pays for samples of tables: the caller for whose call one is taken.

What it takes counts in the caller's hour, usage and log line, but not against `max_read_units` nor in a statement's
statistics: whether a sample is due depends on when others asked, not on the statement.
"""

from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Table
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.spending import Account
from mcp_server.ports import call_notes
from mcp_server.ports.items import Consumption, Observer
from mcp_server.ports.usage import TableUsage, UsageLog


class PayingCaller:
    """See Payer: one principal, during one call."""

    __slots__ = ("_account", "_notes", "_principal", "_schemas", "_usage")

    def __init__(self, principal: Principal, account: Account, schemas: Schemas, usage: UsageLog) -> None:
        self._principal, self._account = principal, account
        self._schemas, self._usage = schemas, usage
        self._notes = call_notes.current()

    def check(self) -> None:
        """See Payer."""
        self._account.check()

    def observer(self, table: Table) -> Observer | None:
        """See Payer. A table that is not there for the caller must not turn up in their usage either."""
        schema, views = self._schemas.by_name[table.schema], self._schemas.views
        if views.keeps_back(self._principal, schema, table):
            return None
        is_partial = table.virtual is not None or bool(views.rows(self._principal, schema, table.name))

        def observe(taken: Consumption) -> None:
            # The number of all items would tell how many there are that the caller may not see.
            items = 0 if is_partial else taken.items
            self._account.spend(taken.read_units)
            self._usage.record_sample(
                self._principal, TableUsage(table.schema, table.name, items, taken.read_units, requests=1)
            )
            self._notes.sampled(taken.items, taken.read_units)

        return observe
