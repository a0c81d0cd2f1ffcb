"""Tables in memory: what stands behind the doubles of the catalogue and of the items, in DynamoDB's own notation."""

import base64
import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mcp_server.adapters.decoding import attribute_values as av
from tests.mcp_server.planning.filter_language import ordered

Item = Mapping[str, Mapping[str, Any]]


class HeldItem(dict[str, dict[str, Any]]):
    """A stored item, of which size and JSON are made out once: random statements read it a million times."""

    @cached_property
    def size(self) -> int:
        """In bytes, as DynamoDB counts them."""
        return av.size(self)

    @cached_property
    def text(self) -> str:
        """As a response has it."""
        return json.dumps(self)


Key = tuple[tuple[str, str], ...]
"""Key attributes as `(name, type)`, the partition key first."""
HeldKey = tuple[tuple[str, str], ...]
"""An item's key as `(type, value)`, the partition key first."""
Place = tuple[bytes, list[Any]]
"""Where an item comes in a scan: by a hash of its partition key, then by its sort key."""


@dataclass(frozen=True, slots=True)
class HeldIndex:
    """A secondary index: it holds the items that have its key, and of them all, or what is `projected`.

    The first `hash_keys` attributes of its key are the partition key, the others the sort key. It is global, unless it
    is `local`.
    """

    name: str
    key: Key
    projected: frozenset[str] | None = None
    hash_keys: int = 1
    local: bool = False

    def holds(self, item: Item) -> bool:
        """Whether an item of the table is in the index: it has the key, in its type."""
        return all(kind in item.get(name, {}) for name, kind in self.key)

    def item(self, item: HeldItem, key: Key) -> HeldItem:
        """What the index has of an item of a table with that key."""
        if self.projected is None:
            return item
        kept = self.projected | dict(self.key).keys() | dict(key).keys()
        return HeldItem({name: value for name, value in item.items() if name in kept})

    def description(self) -> dict[str, Any]:
        """As CreateTable takes it and DescribeTable tells it."""
        projection: dict[str, Any] = {"ProjectionType": "ALL"}
        if self.projected is not None:
            projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": sorted(self.projected)}
            projection = projection if self.projected else {"ProjectionType": "KEYS_ONLY"}
        return {"IndexName": self.name, "KeySchema": key_schema(self.key, self.hash_keys), "Projection": projection}


@dataclass(slots=True)
class HeldTable:
    """One table and its items as JSON has them; `told_items` is how many it tells of, where that is another number."""

    name: str
    key: Key
    items: list[HeldItem] = field(default_factory=list)
    indexes: Sequence[HeldIndex] = ()
    told_items: int | None = None
    _by_index: dict[str, "HeldTable"] = field(default_factory=dict)
    _by_sort_key: list[HeldItem] | None = None
    _scattered: list[tuple[Place, HeldItem]] | None = None

    def put(self, items: Sequence[Item]) -> None:
        """Writes items; one of the same key is replaced."""
        written: dict[HeldKey, HeldItem] = {}
        for item in items:
            held = HeldItem(wired(item))
            written.pop(self._key_of(held), None)  # the last one counts, in its own place
            written[self._key_of(held)] = held
        self._forget(written.keys())
        self.items.extend(written.values())

    def delete(self, key: Item) -> None:
        """Deletes the item of that key, if there is one."""
        self._forget({self._key_of(wired(key))})

    def _forget(self, keys: Container[HeldKey]) -> None:
        self._by_index.clear()
        self._by_sort_key = self._scattered = None
        self.items = [item for item in self.items if self._key_of(item) not in keys]

    def _key_of(self, item: Item) -> HeldKey:
        return tuple(next(iter(item[name].items())) for name, _ in self.key)

    def of_index(self, name: str) -> "HeldTable":
        """An index as a table of what it holds; the table's key comes last. It is made once after each change."""
        if name not in self._by_index:
            index = next(one for one in self.indexes if one.name == name)
            key = dict(index.key) | {name: kind for name, kind in self.key if name not in dict(index.key)}
            items = [index.item(item, self.key) for item in self.items if index.holds(item)]
            self._by_index[name] = HeldTable(self.name, tuple(key.items()), items)
        return self._by_index[name]

    def by_sort_key(self) -> list[HeldItem]:
        """The items in the order of their sort key. They are sorted once after each change."""
        if self._by_sort_key is None:
            names = [name for name, _ in self.key[1:]]
            self._by_sort_key = sorted(self.items, key=lambda item: [ordered(item[name]) for name in names])
        return self._by_sort_key

    def scattered(self) -> list[tuple[Place, HeldItem]]:
        """The items in the order of a scan, with their places. They are sorted once after each change."""
        if self._scattered is None:
            self._scattered = sorted(((self.place(item), item) for item in self.items), key=lambda pair: pair[0])
        return self._scattered

    def place(self, key: Item) -> Place:
        """Where an item with that key comes in a scan."""
        partition, *rest = [key[name] for name, _ in self.key]
        return hashlib.sha256(json.dumps(partition).encode()).digest(), [ordered(one) for one in rest]

    def description(self) -> dict[str, Any]:
        """DescribeTable's answer."""
        return {
            "TableName": self.name,
            "TableStatus": "ACTIVE",
            **definition(self.key, self.indexes),
            "ItemCount": len(self.items) if self.told_items is None else self.told_items,
        }


def definition(key: Key, indexes: Sequence[HeldIndex]) -> dict[str, Any]:
    """A table's keys and indexes, as CreateTable takes them and DescribeTable tells them."""
    types = dict(key)
    for index in indexes:
        types |= dict(index.key)
    described: dict[str, list[dict[str, Any]]] = {}
    for index in indexes:
        kind = "LocalSecondaryIndexes" if index.local else "GlobalSecondaryIndexes"
        described.setdefault(kind, []).append(index.description())
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "KeySchema": key_schema(key),
        **described,
    }


def key_schema(key: Key, hash_keys: int = 1) -> list[dict[str, str]]:
    """A key as DynamoDB's KeySchema."""
    return [
        {"AttributeName": name, "KeyType": "HASH" if place < hash_keys else "RANGE"}
        for place, (name, _) in enumerate(key)
    ]


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
