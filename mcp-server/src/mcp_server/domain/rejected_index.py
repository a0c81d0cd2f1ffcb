"""An index that would have helped."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RejectedIndex:
    """An index whose partition key the conditions name, and why it is not read all the same.

    `read_units` is what it is expected to take instead of the `instead_of` units of the read that is made.
    """

    name: str
    reason: str
    read_units: float = 0.0
    instead_of: float = 0.0

    @property
    def saving(self) -> str:
        """What reading it would save, in words."""
        return f"about {self.read_units:g} read units instead of {self.instead_of:g}"


def that_save(rejected: Iterable[RejectedIndex], read_units: float) -> tuple[RejectedIndex, ...]:
    """Those that take less than a read which takes so much, compared with that read."""
    return tuple(replace(one, instead_of=read_units) for one in rejected if one.read_units < read_units)
