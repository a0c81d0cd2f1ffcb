"""Attributes of items that the columns of their table do not show."""

import msgspec

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding.restricted_items import restricted_items
from mcp_server.adapters.decoding.virtual_items import of_virtual_table
from mcp_server.domain.schema import DOCUMENT_COLUMN, Table

_NAMES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def unshown_attributes(items: bytes, count: int, table: Table) -> frozenset[str]:
    """The names of attributes, without a column, of those of the items that may be seen; none that are hidden.

    None of a malformed page, which decoding refuses.
    """
    known = {column.name for column in (table.whole or table).columns} | {DOCUMENT_COLUMN}
    found = set[str]()
    try:
        if table.restriction is None and table.virtual is None:
            for item in _NAMES.decode(items):
                found |= item.keys()
            return frozenset(found - known)
        objects = av.items_of(items, count)
        if table.restriction is not None:
            objects = restricted_items(objects, table.restriction)
        if table.virtual is not None:
            objects = of_virtual_table(objects, table.virtual)
        for one in objects:
            found |= one.keys()
    except (msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(found - known)
