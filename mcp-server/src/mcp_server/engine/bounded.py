"""A cache that is bounded twice: in its entries, and in what they weigh together."""

from collections import OrderedDict
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Bounded(Generic[_Key, _Value]):
    """Keeps what was asked for last. A single value heavier than an eighth of the whole is not kept."""

    def __init__(self, *, entries: int, weight: int) -> None:
        self._entries, self._weight = entries, weight
        self._kept: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self.weight = 0
        """What the values weigh together."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: _Key) -> _Value | None:
        """The value under a key, None if none is kept."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: _Key, value: _Value, weight: int) -> None:
        """Keeps a value, and lets go of those that were not asked for the longest."""
        self.drop(key)
        if weight > self._weight // 8:
            return
        self._kept[key] = (value, weight)
        self.weight += weight
        while len(self._kept) > self._entries or self.weight > self._weight:
            _, (_, lighter) = self._kept.popitem(last=False)
            self.weight -= lighter

    def drop(self, key: _Key) -> None:
        """Forgets what is kept under a key."""
        found = self._kept.pop(key, None)
        if found is not None:
            self.weight -= found[1]
