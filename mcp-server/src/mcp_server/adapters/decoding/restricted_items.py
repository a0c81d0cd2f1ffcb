"""Takes out of a page what a principal may not see, before anything else looks at it."""

from collections.abc import Iterable

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.domain.restriction import REDACTED, AllowedValues, Mask, Restriction
from mcp_server.domain.schema import AttributeType

_SHOWN, _LEAST_HIDDEN = 4, 4
_NULL: av.AttributeValue = {"NULL": True}


def restricted_items(items: Iterable[av.Item], kept: Restriction) -> list[av.Item]:
    """Those of the items that may be seen, as they may be. Raises MalformedValue."""
    return [seen for item in items if (seen := restricted_item(item, kept)) is not None]


def restricted_item(item: av.Item, kept: Restriction) -> av.Item | None:
    """An item as it may be seen; None if it may not be. Raises MalformedValue."""
    return _seen(item, kept) if all(_allows(rule, item) for rule in kept.rows) else None


def _allows(rule: AllowedValues, item: av.Item) -> bool:
    value = item.get(rule.attribute)
    if value is None:
        return False
    kind, content = av.tagged(value)
    if kind == AttributeType.NUMBER:
        return av.number(content) in rule.numbers
    return kind == AttributeType.STRING and content in rule.texts


def _seen(item: av.Item, kept: Restriction) -> av.Item:
    if not kept.hidden.isdisjoint(item):
        item = {name: value for name, value in item.items() if name not in kept.hidden}
    for name, mask in kept.masks:
        if name in item:
            item = {**item, name: _masked(item[name], mask)}
    return item


def _masked(value: av.AttributeValue, mask: Mask) -> av.AttributeValue:
    kind, _ = av.tagged(value)
    if kind == AttributeType.NULL or mask is Mask.NULL:
        return _NULL
    if mask is Mask.LAST4:
        text = av.text(value)
        # Of a short text the last characters would be all of it.
        if text is not None and len(text) >= _SHOWN + _LEAST_HIDDEN:
            return {"S": REDACTED + text[-_SHOWN:]}
    return {"S": REDACTED}
