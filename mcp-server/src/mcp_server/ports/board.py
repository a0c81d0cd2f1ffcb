"""What replicas tell one another of the queries that run and wait in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp_server.ports.spending import Owner

LIFETIME_SECONDS = 4.0
"""For how long what a replica has told counts, unless it tells something else."""


@dataclass(frozen=True, slots=True)
class Load:
    """One principal's queries on one replica: how many run, and for how many seconds the first in line has waited.

    None of them waits in line for other replicas if `waited` is None.
    """

    running: int
    waited: float | None = None


class BoardUnavailable(Exception):
    """What replicas share does not answer."""


class Board(Protocol):
    """Where each replica says what it runs, for all of them."""

    async def exchange(self, here: Mapping[Owner, Load]) -> Sequence[Mapping[Owner, Load]]:
        """Tells the queries of this replica, in place of those told before, and answers what each other one has told.

        What was told more than `LIFETIME_SECONDS` ago is forgotten. Raises BoardUnavailable.
        """
        ...
