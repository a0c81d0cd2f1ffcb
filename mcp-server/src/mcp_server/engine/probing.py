"""The search of one call for columns, and fields of maps, that no sample shows, among some more of its tables' items.

Whoever names the column pays for it: what it takes counts against the budget of the call and the caller's hour, and it
has a time of its own within the call's deadline.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

import anyio

from mcp_server.domain.failures import Fact, Failure
from mcp_server.domain.failures.columns import UnknownColumn, UnknownField
from mcp_server.domain.schema import Table
from mcp_server.engine.schemas import Schemas
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.items import Observer

MOST_PROBES = 4
"""Columns of one statement, and tables for each, in which columns are looked for."""

PROBING_SECONDS = 5.0
"""Most time that one call may take for it."""

LONGEST_NAME = 255
"""Bytes of an attribute's name that an expression may have."""

Prober = Callable[[Table], Observer]
"""Observes the responses of a search in a table. It raises Failure (budget_exceeded) where none may begin or go on."""


class Probing:
    """Looks for columns on behalf of one call."""

    def __init__(self, schemas: Schemas, catalog: Catalog, prober: Prober) -> None:
        self._schemas, self._catalog, self._prober = schemas, catalog, prober
        self._left = MOST_PROBES
        self._until: float | None = None

    async def finds(self, fact: Fact, tables: Iterable[Table]) -> bool:
        """Whether one of the tables turns out to have a column or field that was unknown, as far as it may be seen."""
        path = _path(fact)
        if not path or not self._left or not all(0 < len(step.encode()) <= LONGEST_NAME for step in path):
            return False
        column, *fields = path
        self._left -= 1
        if self._until is None:
            self._until = anyio.current_time() + PROBING_SECONDS
        found = False
        with anyio.CancelScope(deadline=self._until):
            for table in list(tables)[:MOST_PROBES]:
                if (table.column(column) is not None) != bool(fields):
                    continue
                hidden = table.restriction is not None and column in table.restriction.hidden
                with suppress(Failure):  # what the caller is to hear of is the column
                    schema, observe = self._schemas.by_name[table.schema], self._prober(table)
                    found |= await self._catalog.probe(
                        schema, table.name, column, observe, table.rows, fields=tuple(fields), hidden=hidden
                    )
        return found


def _path(fact: Fact) -> tuple[str, ...]:
    """The column that is unknown, or the one whose maps have an unknown field and the way to it.

    Nothing of an element of a list, for which no item can be asked.
    """
    match fact:
        case UnknownColumn():
            return (fact.name,)
        case UnknownField():
            steps = [step for step in fact.path if step is not None]
            return (fact.column, *steps, fact.name) if len(steps) == len(fact.path) else ()
    return ()
