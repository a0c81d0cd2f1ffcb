"""Which items of a table were met by now, where several requests may yield the same."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mcp_server.adapters.dynamodb.responses import UnreadableResponse
from mcp_server.domain.schema import Table

_ITEMS = msgspec.json.Decoder(list[dict[str, dict[str, Any]]])


class Seen:
    """The items that were met by now, by their primary keys."""

    def __init__(self, table: Table) -> None:
        self._names = [key.name for key in table.key]
        self._seen: set[str] = set()

    def keys(self, items: msgspec.Raw) -> list[dict[str, Any]]:
        """The keys of a response's items. Raises UnreadableResponse."""
        return keys_of_items(items, self._names)

    def own(self, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The primary keys in keys of an index."""
        return [{name: key[name] for name in self._names} for key in keys]

    def new(self, keys: Sequence[Mapping[str, Any]]) -> list[int]:
        """The places of keys that were not met before; they are met by now."""
        found: list[int] = []
        for place, key in enumerate(map(repr, keys)):
            if key not in self._seen:
                self._seen.add(key)
                found.append(place)
        return found


def keys_of_items(items: msgspec.Raw, names: Sequence[str]) -> list[dict[str, Any]]:
    """What the items of a response have in the attributes of a key. Raises UnreadableResponse."""
    try:
        return [{name: item[name] for name in names} for item in _ITEMS.decode(items)]
    except (msgspec.DecodeError, KeyError) as error:
        raise UnreadableResponse from error
