"""Telling what statements read, for bills and for questions about slow tables."""

from dataclasses import dataclass
from typing import Protocol

from mcp_server.domain.principal import Principal


@dataclass(frozen=True, slots=True)
class Usage:
    """What the run of one statement took from DynamoDB, whether it succeeded or not.

    `statement` is a digest of the text, so that lines about one statement can be found without knowing it. `tables` are
    `schema.table`, sorted; as the statement spells them when it was not planned.
    """

    statement: str
    tables: tuple[str, ...]
    items: int
    pages: int
    bytes: int
    read_units: float
    planning_seconds: float
    running_seconds: float


class UsageLog(Protocol):
    """Where usage is told. Never raises, and never waits."""

    def record(self, principal: Principal, usage: Usage) -> None:
        """Tells what a principal's statement took."""
        ...
