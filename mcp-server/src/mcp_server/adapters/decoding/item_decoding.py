"""Pages of DynamoDB JSON as Arrow record batches, losslessly.

A column's Arrow type never drops a value in silence: what does not fit it is found, the types that would fit are worked
out, and SchemaConflict carries them. A missing attribute and DynamoDB's NULL both become NULL.

Texts, numbers, booleans, and maps and lists of them, are decoded by Arrow's JSON reader without the interpreter's lock;
documents, sets, binary and columns of several types take the way through Python objects.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.json as pj

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding import column_types
from mcp_server.adapters.decoding.arrow_values import fast_array, fast_struct, is_nested, passed_over
from mcp_server.adapters.decoding.column_types import Sample
from mcp_server.adapters.decoding.column_values import arrow_type, slow_array
from mcp_server.adapters.decoding.nested_arrays import takes_every_field
from mcp_server.adapters.decoding.restricted_items import restricted_item
from mcp_server.adapters.decoding.virtual_items import as_item_of
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import LackingThoughDeclared, NotTheDeclaredType
from mcp_server.domain.schema import Column, Override, TypeKind
from mcp_server.planning.plan import Relation
from mcp_server.ports.items import SchemaConflict

_ITEMS = msgspec.json.Decoder(list[dict[str, dict[str, Any]]])
_ANYTHING = frozenset({TypeKind.VARCHAR, TypeKind.JSON})
_Forms = Mapping[int, pa.DataType]
_Unknown = Literal["error", "ignore"]
_NO_COLUMN = pa.schema([pa.field("c0", pa.bool_())])


FEW = 32
"""Up to so many items, making Python objects of them takes less time than to set Arrow's reader up."""


class MalformedPage(Exception):
    """The endpoint's answer is not a page of items. The text names no data."""


def arrow_schema(relation: Relation) -> pa.Schema:
    """The schema of the relation's batches: its columns in their order, named c0, c1 and so on.

    The names are ours, since DuckDB would take `a` and `A` for one name. A relation without columns gets one that is
    all NULL: Arrow counts rows by columns.
    """
    if not relation.columns:
        return _NO_COLUMN
    return pa.schema([pa.field(f"c{i}", arrow_type(column.type)) for i, column in enumerate(relation.columns)])


class PageDecoder:
    """Decodes the pages of one read, as far as they may be seen. Keeps nothing between pages; threads may share it."""

    def __init__(self, relation: Relation, overrides: Mapping[str, Override]) -> None:
        self._relation = relation
        self._overrides = overrides
        self._kept, self._virtual = relation.table.restriction, relation.table.virtual
        self._masked = self._kept.masked if self._kept is not None else frozenset[str]()
        self._schema = arrow_schema(relation)

    @cached_property
    def _flat_forms(self) -> _Forms:
        """How Arrow's reader is to read the columns of texts, numbers and booleans, by their places."""
        return {i: form for i, form in self._forms.items() if not is_nested(self._relation.columns[i])}

    @cached_property
    def _all_forms(self) -> _Forms | None:
        """How it is to read all columns in one go; None where there is nothing to gain, or no way."""
        if len(self._flat_forms) == len(self._forms):
            return None
        forms = {i: self._forms.get(i) or passed_over(column) for i, column in enumerate(self._relation.columns)}
        told = {i: form for i, form in forms.items() if form is not None}
        return told if len(told) == len(forms) else None

    @cached_property
    def _forms(self) -> _Forms:
        whole = self._relation.table.column if self._takes_every_field else lambda _: None
        forms = {i: fast_struct(whole(column.name) or column) for i, column in enumerate(self._relation.columns)}
        return {i: form for i, form in forms.items() if form is not None}

    @cached_property
    def _takes_every_field(self) -> bool:
        """Whether all fields of a map are wanted, so that one which is not known must not be passed over."""
        known = self._relation.table.column
        return any(takes_every_field(one.type, (known(one.name) or one).type) for one in self._relation.columns)

    def decode(self, items: bytes, count: int) -> pa.RecordBatch:
        """A JSON array of `count` items as a batch. Raises SchemaConflict, Failure (type_conflict), MalformedPage."""
        return self.decode_with_places(items, count)[0]

    def decode_with_places(self, items: bytes, count: int) -> tuple[pa.RecordBatch, Sequence[int]]:
        """The same, and which of the items each row is: some may be left out."""
        try:
            if self._kept is None and self._virtual is None:
                return self._decode(items, count), range(count)
            seen = self._seen(items, count)
            return self._decode(msgspec.json.encode(list(seen.values())), len(seen)), list(seen)
        except (pa.ArrowException, msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedPage(type(error).__name__) from error

    def _seen(self, items: bytes, count: int) -> dict[int, av.Item]:
        """The items that are there for whoever reads, as they are for them, by their places."""
        found: dict[int, av.Item] = {}
        for place, item in enumerate(av.items_of(items, count)):
            seen = restricted_item(item, self._kept) if self._kept is not None else item
            if seen is not None and self._virtual is not None:
                seen = as_item_of(seen, self._virtual)
            if seen is not None:
                found[place] = seen
        return found

    def _decode(self, items: bytes, count: int) -> pa.RecordBatch:
        columns = self._relation.columns
        arrays = self._arrays(items, count) if count > FEW or not columns else {}
        # A number written with an exponent fails the fast way, but may fit all the same.
        slow = [i for i in range(len(columns)) if arrays.get(i) is None]
        if slow:
            objects = _ITEMS.decode(items)
            _check_count(len(objects), count)
            arrays |= {i: slow_array(columns[i], objects, self._relation.table.column(columns[i].name)) for i in slow}
            unfit = [columns[i] for i in slow if arrays[i] is None]
            if unfit:
                raise self._conflict(unfit, objects)
        self._check_nulls(arrays)
        ordered = [arrays[i] for i in range(len(columns))] or [pa.nulls(count, pa.bool_())]
        return pa.record_batch(ordered, schema=self._schema)

    def _arrays(self, items: bytes, count: int) -> dict[int, pa.Array | None]:
        """The columns that Arrow's reader delivers."""
        if not items.isascii():
            items.decode()  # Arrow does not look, and DuckDB is not to get texts that are not UTF-8
        structs, known = None, self._forms
        if self._all_forms is not None:
            with suppress(pa.ArrowInvalid):
                unknown: _Unknown = "error" if self._takes_every_field else "ignore"
                structs = self._parse(items, self._all_forms, unknown)
        if structs is None:
            known = self._flat_forms
            if not known and self._relation.columns:
                return {}
            structs = self._parse(items, known, "ignore")
        _check_count(len(structs), count)
        columns = self._relation.columns
        return {i: fast_array(columns[i], structs.field(columns[i].name)) for i in known}

    def _parse(self, items: bytes, forms: _Forms, unknown: _Unknown) -> pa.StructArray:
        """The items as structs. What is not in `forms` is ignored, or an ArrowInvalid."""
        item = pa.struct([pa.field(self._relation.columns[i].name, form) for i, form in forms.items()])
        body = b'{"Items":' + items + b"}"
        table = pj.read_json(
            pa.BufferReader(body),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1024),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema([("Items", pa.list_(item))]), unexpected_field_behavior=unknown
            ),
        )
        if table.num_rows != 1 or table["Items"].num_chunks != 1 or table["Items"].null_count:
            raise MalformedPage("not one array of items")
        structs = table["Items"].chunk(0).flatten()
        if structs.null_count:
            raise MalformedPage("an item is not an object")
        return structs

    def _check_nulls(self, arrays: Mapping[int, pa.Array | None]) -> None:
        """What an override declares NOT NULL licenses the use of sparse indexes, so it had better be true."""
        for i, column in enumerate(self._relation.columns):
            override, array = self._overrides.get(column.name), arrays[i]
            if override is None or not override.not_null or array is None or column.name in self._masked:
                continue
            if array.null_count:
                raise Failure(LackingThoughDeclared(self._relation.table.name, column.name))

    def _conflict(self, columns: list[Column], objects: list[av.Item]) -> Exception:
        table = self._relation.table.whole or self._relation.table
        wider: dict[str, Column] = {}
        for column in columns:
            sample = Sample()
            for item in objects:
                if column.name in item:
                    av.plain(item[column.name])  # nothing is learnt from what is malformed
                    sample.add(item[column.name])
            override = self._overrides.get(column.name)
            if override is not None and override.type is not None:
                if override.type.kind in _ANYTHING:  # it can carry the value; only the planner did not know of it
                    types = column.attribute_types | sample.types
                    wider[column.name] = replace(column, attribute_types=types)
                    continue
                strange = tuple(sorted(sample.types - column.attribute_types))
                return Failure(NotTheDeclaredType(self._relation.table.name, column.name, column.type.sql, strange))
            wider[column.name] = column_types.widened(table.column(column.name) or column, sample)
        changed = tuple(wider.get(column.name, column) for column in table.columns)
        return SchemaConflict(replace(table, columns=changed), tuple(wider))


def _check_count(items: int, count: int) -> None:
    if items != count:
        message = "another number of items than it counts"
        raise MalformedPage(message)
