"""What a query costs that nobody has agreed to."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode
from mcp_server.domain.failures.scans import LargeTable
from mcp_server.domain.prices import Dollars


@dataclass(frozen=True, slots=True)
class CostUnconfirmed:
    """The query is expected to take more read units than are read `unasked`, and to look at so many items.

    It may have read some of them, where that was only seen during the run. It would be stopped at `budget` read units;
    `most` is the largest budget that a caller can ask for, `scanned` the tables of which everything is read.
    """

    code: ClassVar[FailureCode] = FailureCode.CONFIRMATION_REQUIRED
    items: int
    read_units: float
    dollars: Dollars
    unasked: float
    budget: float
    most: float
    scanned: tuple[LargeTable, ...] = ()


ConfirmationFact = CostUnconfirmed
"""Of what needs somebody's yes."""
