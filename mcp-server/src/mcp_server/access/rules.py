"""A table as a principal may see it: without hidden columns, with masked ones as texts, and marked for the reader.

What is masked or hidden is read by no key and through no index, and no condition on it reaches DynamoDB: what a query
takes would tell what is there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import AllowedValues, Mask, Restriction, Rule
from mcp_server.domain.row_values import CLIENT, SUBJECT, TENANT, row_value
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Index, Schema, Table, TypeKind

_TEXT = ColumnType(TypeKind.VARCHAR)
_NOTE = "masked"
_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")
_STRICTEST_FIRST = tuple(Mask)


class KeyKeptBack(Exception):
    """A rule hides or masks `attributes` of the primary key, by which everything else would be found."""

    def __init__(self, attributes: frozenset[str]) -> None:
        super().__init__(attributes)
        self.attributes = attributes


def closes(principal: Principal, schema: Schema, name: str) -> bool:
    """Whether a rule closes the real or virtual table of that name to a principal."""
    return any(rule.closed for rule in _applying(principal, schema, name))


def restriction(principal: Principal, schema: Schema, name: str) -> Restriction | None:
    """All that rules keep from a principal of the real or virtual table of that name; None if that is nothing."""
    applying = _applying(principal, schema, name)
    if not applying:
        return None
    masks: dict[str, Mask] = {}
    for name, mask in (each for rule in applying for each in rule.masks):
        masks[name] = min(mask, masks.get(name, mask), key=_STRICTEST_FIRST.index)
    own = {SUBJECT: principal.subject, TENANT: principal.tenant, CLIENT: principal.client_id}
    rows = tuple(_allowed(name, values, own) for rule in applying for name, values in rule.rows)
    hidden = frozenset[str]().union(*(rule.hidden for rule in applying))
    return Restriction(hidden, tuple(sorted(masks.items())), rows, closed=any(rule.closed for rule in applying))


def _allowed(attribute: str, values: Iterable[str], own: Mapping[str, str]) -> AllowedValues:
    """What a rule of rows allows a caller with these texts of its own."""
    texts = [row_value(value).of_caller(own) for value in values]
    known = frozenset(text for text in texts if text is not None)
    return AllowedValues(attribute, known, frozenset(Decimal(text) for text in known if _NUMBER.fullmatch(text)))


def _applying(principal: Principal, schema: Schema, name: str) -> Sequence[Rule]:
    """The rules that hold for a principal; those of the table behind a virtual one hold for that too."""
    virtual = schema.virtual_tables.get(name)
    rules = schema.rules.get(name if virtual is None else virtual.source, ())
    return [rule for rule in rules if not rule.except_roles & principal.roles]


def keys_kept_back(table: Table, kept: Restriction) -> frozenset[str]:
    """The attributes of a table's primary key that are hidden or masked."""
    return (kept.hidden | kept.masked) & {key.name for key in table.key}


def restricted(table: Table, kept: Restriction) -> Table:
    """The table that is left. Raises KeyKeptBack."""
    if keys := keys_kept_back(table, kept):
        raise KeyKeptBack(keys)
    closed = kept.hidden | kept.masked
    seen = table.columns if table.rows == kept.rows else _structure(table)
    virtual = table.virtual.templates if table.virtual is not None else ()
    parts = {slot for attribute, template in virtual if attribute in closed for slot in template.slots}
    columns = tuple(
        _masked(column) if column.name in kept.masked else _without_examples(column) if column.name in parts else column
        for column in seen
        if column.name not in kept.hidden
    )
    indexes = tuple(_index(index, kept.hidden) for index in table.indexes if not closed & _keys(index))
    share = None if kept.rows else table.own_share  # which counts the rows that are hidden, too
    return replace(table, columns=columns, indexes=indexes, own_share=share, restriction=kept, whole=table)


def _masked(column: Column) -> Column:
    types = frozenset({AttributeType.STRING})
    return replace(column, type=_TEXT, attribute_types=types, nullable=True, notes=(_NOTE,), examples=None, spread=None)


def _without_examples(column: Column) -> Column:
    """What it shows, and what estimates would tell of, are parts of what is kept back, or other items' values."""
    return replace(column, examples=None, spread=None)


def _structure(table: Table) -> tuple[Column, ...]:
    """The columns that are there whatever items hold: other items than may be seen were sampled, or none."""
    keys = {key.name for key in table.key}.union(*map(_keys, table.indexes))
    slots = frozenset(table.virtual.slots) if table.virtual is not None else frozenset[str]()
    return tuple(_without_examples(column) for column in table.columns if column.name in keys | slots)


def _keys(index: Index) -> frozenset[str]:
    return frozenset(key.name for key in (*index.hash_keys, *index.range_keys))


def _index(index: Index, hidden: frozenset[str]) -> Index:
    return index if index.projected is None else replace(index, projected=index.projected - hidden)
