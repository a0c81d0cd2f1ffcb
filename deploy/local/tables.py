"""The shape of a demo table: its name, keys and indexes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KeyType = Literal["S", "N", "B"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its partition attribute and, if it has one, its sort attribute."""

    hash: str
    range: str | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The key's attributes, the partition attribute first."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    def schema(self) -> list[dict[str, str]]:
        """The `KeySchema` of CreateTable."""
        return [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(self.attributes, ("HASH", "RANGE"), strict=False)
        ]


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; `included` None projects everything, an empty tuple the keys only."""

    name: str
    key: Key
    included: tuple[str, ...] | None = None

    def definition(self) -> dict[str, Any]:
        """The element of `GlobalSecondaryIndexes` of CreateTable."""
        projection: dict[str, Any]
        if self.included is None:
            projection = {"ProjectionType": "ALL"}
        elif self.included:
            projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(self.included)}
        else:
            projection = {"ProjectionType": "KEYS_ONLY"}
        return {"IndexName": self.name, "KeySchema": self.key.schema(), "Projection": projection}


@dataclass(frozen=True, slots=True)
class DemoTable:
    """A demo table; `key_types` gives the type of every attribute that is part of some key."""

    name: str
    key: Key
    key_types: Mapping[str, KeyType]
    indexes: tuple[Index, ...] = ()

    def creation(self) -> dict[str, Any]:
        """The arguments of CreateTable."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in self.key_types.items()
            ],
            "KeySchema": self.key.schema(),
        }
        if self.indexes:
            request["GlobalSecondaryIndexes"] = [index.definition() for index in self.indexes]
        return request
