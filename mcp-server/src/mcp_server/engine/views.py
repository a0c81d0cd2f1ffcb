"""Tables as principals may see them."""

import hashlib
import json
from collections.abc import Iterable, Mapping

import structlog

from mcp_server.access.policy import Deny
from mcp_server.access.rules import KeyKeptBack, keys_kept_back, restricted, restriction
from mcp_server.domain.failures.access import TableDenied
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Restriction, Rows
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.bounded import Bounded

_REMEMBERED = 1024

_log = structlog.get_logger("policy")


class Views:
    """Restricts tables by the rules of their schema; the same table for the same restriction is the same object."""

    def __init__(self) -> None:
        self._known: Bounded[tuple[int, Restriction], Table] = Bounded(entries=_REMEMBERED, weight=_REMEMBERED)
        self._hide_keys: set[tuple[str, str, frozenset[str]]] = set()

    def rows(self, principal: Principal, schema: Schema, name: str) -> Rows:
        """Which of the rows of a real or virtual table are there for a principal; empty for all of them."""
        kept = restriction(principal, schema, name)
        return kept.rows if kept is not None else ()

    def restricts(self, principal: Principal, schema: Schema, name: str) -> bool:
        """Whether a rule keeps anything of a real or virtual table from a principal."""
        return restriction(principal, schema, name) is not None

    def may_close(self, principal: Principal, schema: Schema, name: str) -> bool:
        """Whether a table of that name may not be there at all, since its key may be kept back."""
        kept = restriction(principal, schema, name)
        return kept is not None and bool(kept.hidden or kept.masks)

    def keeps_back(self, principal: Principal, schema: Schema, table: Table) -> bool:
        """Whether a table is not there at all for a principal."""
        kept = restriction(principal, schema, table.name)
        return kept is not None and (kept.closed or bool(keys_kept_back(table, kept)))

    def of(self, principal: Principal, schema: Schema, table: Table) -> Table | Deny:
        """What there is of a table for a principal, sampled of the `rows`; no rule, no difference."""
        kept = restriction(principal, schema, table.name)
        if kept is None:
            return table
        if kept.closed:
            return Deny(TableDenied(schema.name, table.name))
        key = (id(table), kept)
        known = self._known.get(key)
        if known is not None:
            return known
        try:
            view = restricted(table, kept)
        except KeyKeptBack as rule:
            hides = schema.name, table.name, rule.attributes
            if hides not in self._hide_keys:
                self._hide_keys.add(hides)
                _log.error("rule_hides_key", schema=schema.name, table=table.name)
            return Deny(TableDenied(schema.name, table.name))
        self._warn(schema, table, kept)
        self._known.put(key, view, 1)  # it holds the table, whose id therefore stays its own
        return view

    def _warn(self, schema: Schema, table: Table, kept: Restriction) -> None:
        """A column that no sample shows may be rare, or spelt wrongly in the rule, and then be seen by everybody."""
        seen = {column.name for column in table.columns}
        keys = (*table.key, *(key for index in table.indexes for key in (*index.hash_keys, *index.range_keys)))
        if seen <= {*(key.name for key in keys), *(table.virtual.slots if table.virtual is not None else ())}:
            return  # it has not been sampled, or there is nothing in it
        unseen = tuple(sorted((kept.hidden | kept.masked | {rule.attribute for rule in kept.rows}) - seen))
        if unseen:
            _log.warning("rule_names_unseen_columns", schema=schema.name, table=table.name, columns=unseen)


def sight(principal: Principal, schemas: Mapping[str, Schema], tables: Iterable[tuple[str, str]]) -> str:
    """What a principal may see of tables, as a short text that any change of it changes; empty for all of them.

    A role that no rule of these tables names makes no difference.
    """
    restrictions = {
        f"{schema}.{name}": kept
        for schema, name in tables
        if schema in schemas and (kept := restriction(principal, schemas[schema], name)) is not None
    }
    if not restrictions:
        return ""
    said = [[table, _written(restrictions[table])] for table in sorted(restrictions)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _written(kept: Restriction) -> list[object]:
    """A restriction, written alike by every process."""
    rows = sorted([one.attribute, sorted(one.texts)] for one in kept.rows)
    return [sorted(kept.hidden), sorted(kept.masks), rows, kept.closed]
