"""Tables in memory: what stands behind the doubles of the catalogue and of the items, in DynamoDB's own notation."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Item = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class HeldTable:
    """One table: its key attributes as `(name, type)`, the partition key first, and its items as JSON has them."""

    name: str
    key: tuple[tuple[str, str], ...]
    items: list[dict[str, dict[str, Any]]] = field(default_factory=list)

    def put(self, items: Sequence[Item]) -> None:
        """Writes items; one of the same key is replaced."""
        for item in map(wired, items):
            self.delete(item)
            self.items.append(item)

    def delete(self, key: Item) -> None:
        """Deletes the item of that key, if there is one."""
        wanted = wired(key)
        self.items = [item for item in self.items if any(item[name] != wanted[name] for name in dict(self.key))]

    def description(self) -> dict[str, Any]:
        """DescribeTable's answer."""
        kinds = ("HASH", "RANGE")
        return {
            "TableName": self.name,
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in self.key],
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for (name, _), kind in zip(self.key, kinds, strict=False)
            ],
            "ItemCount": len(self.items),
        }


HeldTables = dict[str, HeldTable]
"""The tables of one account and region, by name."""


def wired(value: Any) -> Any:
    """An item or a part of it as JSON has it: binary is base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {name: wired(part) for name, part in value.items()}
        case list() | tuple():
            return [wired(part) for part in value]
    return value
