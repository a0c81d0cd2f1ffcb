"""An index that would have helped."""

from dataclasses import dataclass


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
