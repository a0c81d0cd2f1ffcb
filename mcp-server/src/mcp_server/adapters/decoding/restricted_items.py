"""Takes out of a page what a principal may not see, before anything else looks at it."""

import msgspec

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.domain.restriction import REDACTED, AllowedValues, Mask, Restriction
from mcp_server.domain.schema import AttributeType

_SHOWN, _LEAST_HIDDEN = 4, 4
_NULL: av.AttributeValue = {"NULL": True}


def restricted_items(items: bytes, count: int, kept: Restriction) -> tuple[bytes, int]:
    """The JSON array of those of `count` items that may be seen, as they may be, and their number.

    Raises msgspec.DecodeError, MalformedValue.
    """
    seen = [_seen(item, kept) for item in av.items_of(items, count) if all(_allows(rule, item) for rule in kept.rows)]
    return msgspec.json.encode(seen), len(seen)


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
