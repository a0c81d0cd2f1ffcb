"""What an operator does, for the audit trail: who, which verb, to what, and how it ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth_server.domain.audit import EventName
from auth_server.flows.administration.problems import CannotDo
from auth_server.ports.audit import AuditTrail


@dataclass(frozen=True, slots=True)
class Operation:
    """A verb that changes something, or that somebody far away asks for. `address` is theirs, empty on this machine."""

    administrator: str
    verb: str
    target: str
    address: str = ""


@asynccontextmanager
async def recorded(trail: AuditTrail, operation: Operation) -> AsyncIterator[None]:
    """Records the operation once the block has ended, whatever came of it."""
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except CannotDo as problem:
        outcome = problem.problem.name.lower()
        raise
    finally:
        trail.record(
            EventName.ADMINISTERED,
            address=operation.address,
            administrator=operation.administrator,
            verb=operation.verb,
            target=operation.target,
            outcome=outcome,
        )
