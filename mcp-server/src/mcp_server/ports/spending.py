"""What replicas tell one another of what their principals have read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Owner = tuple[str, str]
"""Whose reads they are: a tenant and a subject."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Read units, and the time (seconds since the epoch) until which they count."""

    until: float
    read_units: float


class LedgerUnavailable(Exception):
    """What replicas share does not answer."""


class Ledger(Protocol):
    """What all replicas share."""

    async def exchange(self, here: Mapping[Owner, Sequence[Spent]]) -> Mapping[Owner, Sequence[Spent]]:
        """Tells all that counts of what owners read on this replica, and answers what they read on others.

        What was told before is replaced, so that it does no harm to tell it twice. Raises LedgerUnavailable.
        """
        ...
