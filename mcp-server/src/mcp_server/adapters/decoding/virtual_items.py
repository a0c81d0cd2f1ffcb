"""The items of a page that belong to a virtual table, with its columns as attributes."""

from collections.abc import Iterable

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.domain.schema import AttributeType
from mcp_server.domain.virtual_table import VirtualTable


def of_virtual_table(items: Iterable[av.Item], table: VirtualTable) -> list[av.Item]:
    """Those of the items that belong to it, each with its slots as texts. Raises MalformedValue."""
    return [own for item in items if (own := as_item_of(item, table)) is not None]


def as_item_of(item: av.Item, table: VirtualTable) -> av.Item | None:
    """An item with the table's slots as texts; None if it does not belong to it. Raises MalformedValue."""
    slots = _slots(item, table)
    return {**item, **slots} if slots is not None else None


def _slots(item: av.Item, table: VirtualTable) -> dict[str, av.AttributeValue] | None:
    slots: dict[str, av.AttributeValue] = {}
    for attribute, template in table.templates:
        value = item.get(attribute)
        if value is None:
            return None
        kind, content = av.tagged(value)
        read = template.read(content) if kind == AttributeType.STRING and isinstance(content, str) else None
        if read is None:
            return None
        for slot, part in zip(template.slots, read, strict=True):
            if slots.setdefault(slot, {"S": part}) != {"S": part}:
                return None
    return slots
