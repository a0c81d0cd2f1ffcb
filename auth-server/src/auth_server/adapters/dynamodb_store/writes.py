"""Conditional writes as values, and as the API's expressions.

A condition is an expression of the API in which `#name` stands for the attribute of that name and `:name` for a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auth_server.adapters.dynamodb_store.items import Item, Key, encode, to_wire

NEW = "attribute_not_exists(#pk)"
PRESENT = "attribute_exists(#pk)"
CHANGED = {"revision": 1}
"""What every update of an item adds whose writers must notice each other."""
_NAME = re.compile(r"#(\w+)")


@dataclass(frozen=True, slots=True)
class Put:
    """Replaces the whole item."""

    key: Key
    item: Item
    condition: str | None = None
    values: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """Changes attributes of an item, which need not exist: None removes one; `at_first` sets those that are missing."""

    key: Key
    changes: Item
    condition: str | None = None
    values: Item = field(default_factory=dict)
    at_first: Item = field(default_factory=dict)
    add: Item = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes the item, if there is one."""

    key: Key
    condition: str | None = None
    values: Item = field(default_factory=dict)


Write = Put | Update | Delete


def operation(write: Write) -> str:
    """The write's name in a transaction; alone it is called `…Item`."""
    return type(write).__name__


def parameters(write: Write, table: str) -> dict[str, Any]:
    """The parameters that the API takes for the write, alone or in a transaction."""
    expressions: dict[str, str] = {}
    values = dict(write.values)
    if isinstance(write, Update):
        expressions["UpdateExpression"], given = _update(write)
        values |= given
    if write.condition is not None:
        expressions["ConditionExpression"] = write.condition
    made: dict[str, Any] = {"TableName": table, **expressions}
    if isinstance(write, Put):
        made["Item"] = to_wire({**write.key._asdict(), **write.item})
    else:
        made["Key"] = to_wire(write.key._asdict())
    names = {f"#{name}": name for text in expressions.values() for name in _NAME.findall(text)}
    if names:
        made["ExpressionAttributeNames"] = names
    if values:
        made["ExpressionAttributeValues"] = {f":{name}": encode(value) for name, value in values.items()}
    if write.condition is not None:
        made["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return made


def _update(write: Update) -> tuple[str, Mapping[str, Any]]:
    """The expression and the values in it."""
    sets = {name: value for name, value in write.changes.items() if value is not None}
    assignments = [f"#{name} = :new_{name}" for name in sets]
    assignments += [f"#{name} = if_not_exists(#{name}, :first_{name})" for name in write.at_first]
    clauses = {
        "SET": assignments,
        "REMOVE": [f"#{name}" for name, value in write.changes.items() if value is None],
        "ADD": [f"#{name} :more_{name}" for name in write.add],
    }
    values = {f"new_{name}": value for name, value in sets.items()}
    values |= {f"first_{name}": value for name, value in write.at_first.items()}
    values |= {f"more_{name}": value for name, value in write.add.items()}
    return " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses.items() if parts), values
