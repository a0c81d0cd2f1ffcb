"""DescribeTable's answer as a Table, and the Table as sampling completes it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding import column_types
from mcp_server.adapters.decoding.column_types import MOST_PARTS, Sample
from mcp_server.adapters.decoding.examples import MOST_VALUES
from mcp_server.domain.schema import (
    DOCUMENT_COLUMN,
    AttributeType,
    Column,
    ColumnType,
    Index,
    KeyAttribute,
    Override,
    Schema,
    Table,
    TypeKind,
)
from mcp_server.domain.virtual_table import VirtualTable

MAX_COLUMNS = 1000
"""The most frequent attributes become columns; the rest of a table wider than that is reached through `_doc`."""

MOST_KEY_POINTS, MOST_POINTS = 200, 40
"""How many of the sampled values of a key, and of another attribute, are kept for estimates."""

READABLE = frozenset({"ACTIVE", "UPDATING"})
"""The values of TableStatus with which items can be read."""
_DECLARED_AS = {
    TypeKind.BOOLEAN: AttributeType.BOOLEAN,
    TypeKind.BIGINT: AttributeType.NUMBER,
    TypeKind.DECIMAL: AttributeType.NUMBER,
    TypeKind.DOUBLE: AttributeType.NUMBER,
    TypeKind.VARCHAR: AttributeType.STRING,
    TypeKind.DATE: AttributeType.STRING,
}
_KEY_TYPES = {
    AttributeType.STRING: ColumnType(TypeKind.VARCHAR),
    AttributeType.NUMBER: ColumnType(TypeKind.BIGINT),
    AttributeType.BINARY: ColumnType(TypeKind.BLOB),
}


def readable(description: Mapping[str, Any]) -> bool:
    """Whether items can be read from a table of that TableStatus."""
    return description.get("TableStatus") in READABLE


def table_of(schema: Schema, description: Mapping[str, Any], now: float) -> Table:
    """A table as DescribeTable tells of it: its only columns are the attributes of its keys and indexes."""
    types = {
        definition["AttributeName"]: AttributeType(definition["AttributeType"])
        for definition in description["AttributeDefinitions"]
    }
    hash_keys, range_keys = _keys(description["KeySchema"], types)
    key = {attribute.name for attribute in (*hash_keys, *range_keys)}
    indexes = tuple(
        _index(kind, index, types, key)
        for kind, member in (("GSI", "GlobalSecondaryIndexes"), ("LSI", "LocalSecondaryIndexes"))
        for index in sorted(description.get(member) or [], key=lambda index: str(index["IndexName"]))
    )
    name = description["TableName"]
    table = Table(
        schema=schema.name,
        name=name,
        physical_name=name,
        hash_key=hash_keys[0],
        range_key=range_keys[0] if range_keys else None,
        indexes=indexes,
        columns=(),
        item_count=int(description.get("ItemCount") or 0),
        size_bytes=int(description.get("TableSizeBytes") or 0),
        refreshed_at=now,
    )
    return with_columns(table, [_key_column(attribute, table) for attribute in _key_attributes(table)])


@dataclass(slots=True)
class Samples:
    """What some items of a table hold."""

    items: int = 0
    bytes: int = 0
    attributes: dict[str, Sample] = field(default_factory=dict)

    def add(self, items: Iterable[av.Item]) -> None:
        """Counts items in. Raises MalformedValue."""
        for item in items:
            self.items += 1
            self.bytes += av.size(item)
            for name, value in item.items():
                self.attributes.setdefault(name, Sample()).add(value)


def sampled(table: Table, samples: Samples, overrides: Mapping[str, Override], *, measured: bool, whole: bool) -> Table:
    """The table with a column for each attribute found or declared: keys first, then by name.

    `measured` tells that DescribeTable's size is AWS's; otherwise it is computed from the sample. `whole` tells that no
    item of the table was left out of the sample.
    """
    keys = {attribute.name: _key_column(attribute, table) for attribute in _key_attributes(table)}
    base = {attribute.name for attribute in table.key}
    near = base | {*(table.virtual.slots if table.virtual is not None else ())}
    columns: dict[str, Column] = dict(keys)
    count = max(table.item_count, samples.items)
    by_presence = sorted(samples.attributes, key=lambda name: (-samples.attributes[name].present, name))
    wanted = {name for name in by_presence if name != DOCUMENT_COLUMN}
    for name in sorted({*sorted(wanted, key=by_presence.index)[:MAX_COLUMNS], *overrides, *keys}):
        sample = samples.attributes.get(name)
        if sample is not None:
            # A key is compared with texts more than with dates; an override can still make it a DATE.
            each_is_told = whole and samples.items <= MOST_VALUES
            found = column_types.column(name, sample, samples.items, may_be_date=name not in base, whole=each_is_told)
            spread = sample.spread(found.presence, count, MOST_KEY_POINTS if name in keys else MOST_POINTS)
            columns[name] = replace(found if whole or name not in near else _without_values(found), spread=spread)
        elif name in keys:
            columns[name] = replace(keys[name], presence=0.0 if samples.items else 1.0)
        else:
            columns[name] = Column(name, _KEY_TYPES[AttributeType.STRING], frozenset(), presence=0.0)
        columns[name] = _declared(replace(columns[name], nullable=name not in base), overrides.get(name))
    size = table.size_bytes
    if samples.items and (not measured or not table.size_bytes):
        size = round(samples.bytes / samples.items * count)
    return with_columns(replace(table, item_count=count, size_bytes=size), _with_few_parts(columns.values()))


def _with_few_parts(columns: Iterable[Column]) -> Iterator[Column]:
    """The columns, the first of them with what their parts hold, as far as there is room for it in a description."""
    left = MOST_PARTS
    for column in columns:
        examples = column.examples
        if examples is None or not examples.parts:
            yield column
            continue
        parts = examples.parts[:left]
        left -= len(parts)
        yield replace(column, examples=replace(examples, parts=parts) if parts or examples.rare else None)


def _without_values(column: Column) -> Column:
    """Of keys, and of their parts: a sample has many items of few partitions, so that their keys come often."""
    return replace(column, examples=replace(column.examples, values=()) if column.examples is not None else None)


def with_columns(table: Table, columns: Iterable[Column]) -> Table:
    """The table with those columns."""
    return replace(table, columns=tuple(columns))


def as_virtual(source: Table, virtual: VirtualTable) -> Table:
    """A virtual table of a table, of which nothing has been sampled; its keys and its size are the source's."""
    return with_slots(replace(source, name=virtual.name, virtual=virtual), virtual)


def with_slots(table: Table, virtual: VirtualTable) -> Table:
    """The virtual table with its own columns first, which are texts that every item has."""
    text, types = ColumnType(TypeKind.VARCHAR), frozenset({AttributeType.STRING})
    seen = {column.name: column for column in table.columns}
    slots = [Column(name, text, types, nullable=False) for name in virtual.slots]
    slots = [
        replace(slot, examples=seen[slot.name].examples, spread=seen[slot.name].spread) if slot.name in seen else slot
        for slot in slots
    ]
    return with_columns(table, [*slots, *(column for column in table.columns if column.name not in virtual.slots)])


def keep_wider(table: Table, learnt: Mapping[str, Column]) -> Table:
    """The table with the types, and the columns, that earlier reads proved to be there, though this sample does not."""
    known = [column_types.wider_of(column, learnt.get(column.name)) for column in table.columns]
    more = learnt.keys() - {column.name for column in known}
    return with_columns(table, [*known, *(learnt[name] for name in sorted(more))])


def shows(table: Table, name: str, fields: Sequence[str]) -> bool:
    """Whether a table is known to have an attribute, and its maps the fields, one within the other.

    Of what no shape is known of nothing has to be looked for.
    """
    column = table.column(name)
    type_ = column.type if column is not None else None
    for name_within in fields:
        if type_ is None or type_.kind is not TypeKind.STRUCT:
            break
        type_ = dict(type_.fields).get(name_within)
    return type_ is not None


def with_found(table: Table, name: str, values: Sequence[av.AttributeValue], looked_at: int) -> Table:
    """The table with a column for an attribute, of which those values were found in so many items.

    A column that is known comes to carry these values, too. Raises MalformedValue.
    """
    sample = Sample()
    for value in values:
        sample.add(value)
    if table.column(name) is not None:
        known = (column_types.widened(one, sample) if one.name == name else one for one in table.columns)
        return with_columns(table, known)
    return with_columns(table, [*table.columns, column_types.column(name, sample, looked_at)])


def _keys(
    key_schema: Iterable[Mapping[str, str]], types: Mapping[str, AttributeType]
) -> tuple[tuple[KeyAttribute, ...], tuple[KeyAttribute, ...]]:
    attributes = [
        (part["KeyType"], KeyAttribute(part["AttributeName"], types[part["AttributeName"]])) for part in key_schema
    ]
    return (
        tuple(attribute for kind, attribute in attributes if kind == "HASH"),
        tuple(attribute for kind, attribute in attributes if kind == "RANGE"),
    )


def _index(kind: str, index: Mapping[str, Any], types: Mapping[str, AttributeType], table_key: set[str]) -> Index:
    hash_keys, range_keys = _keys(index["KeySchema"], types)
    projection = index.get("Projection") or {}
    projected: frozenset[str] | None = None
    if projection.get("ProjectionType") != "ALL":
        keys = {attribute.name for attribute in (*hash_keys, *range_keys)}
        projected = frozenset({*keys, *table_key, *(projection.get("NonKeyAttributes") or [])})
    # A local index is there from the table's start and has no status; a backfilling global one still lacks items.
    active = index.get("IndexStatus", "ACTIVE") == "ACTIVE" and not index.get("Backfilling", False)
    return Index(index["IndexName"], kind, hash_keys, range_keys, projected, active)


def _key_attributes(table: Table) -> tuple[KeyAttribute, ...]:
    """The attributes of the primary key, then of the indexes, each once."""
    attributes = {attribute.name: attribute for attribute in table.key}
    for index in table.indexes:
        for attribute in (*index.hash_keys, *index.range_keys):
            attributes.setdefault(attribute.name, attribute)
    return tuple(attributes.values())


def _key_column(attribute: KeyAttribute, table: Table) -> Column:
    base = attribute in table.key
    return Column(attribute.name, _KEY_TYPES[attribute.type], frozenset({attribute.type}), nullable=not base)


def _declared(column: Column, override: Override | None) -> Column:
    if override is None:
        return column
    nullable = column.nullable and not override.not_null
    if override.type is None:
        return replace(column, nullable=nullable)
    types = column.attribute_types
    if not types and override.type.kind is TypeKind.TIMESTAMPTZ:
        types = frozenset({AttributeType.STRING if override.type.unit is None else AttributeType.NUMBER})
    elif not types and override.type.kind in _DECLARED_AS:
        types = frozenset({_DECLARED_AS[override.type.kind]})
    return replace(column, type=override.type, attribute_types=types, nullable=nullable, notes=("declared type",))
