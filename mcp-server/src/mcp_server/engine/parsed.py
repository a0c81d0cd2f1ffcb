"""Statements that passed the gate, and where that takes place: short ones are parsed at once, others in a thread."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

from mcp_server.engine.literals import Varying
from mcp_server.engine.plan_cache import Sent
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import Statement, TableName, parse
from mcp_server.sql.now import at_instant

TINY_CHARACTERS = 1_000
"""A statement up to this length is parsed at once, in 5 ms at most of what models write.

A thread would hold others up for as long, since the interpreter lets it have its turn, and the way to it and back takes
0.13 ms of CPU.
"""

LIGHT_CHARACTERS = 4_000
"""Statements up to this length are parsed in the service, longer ones beside it. Parsing takes 20 µs per token."""

_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


@dataclass(slots=True)
class Parsed:
    """A statement that passed the gate.

    `statement` is None when that was found out earlier, or beside the service, and once the statement was taken.

    `instant` is the time of UTC that it asks for wherever it does. `key` is what its plan is kept under, which may be
    that of other spellings: positions are those of `text`. `varying` is the statement as one with other values, and
    `varying_key` what a plan with slots for literals is kept under, None where there are none, or not yet.
    """

    text: str
    parameters: Parameters
    instant: datetime
    tables: frozenset[TableName]
    statement: Statement | None
    key: Sent | None
    varying: Varying
    varying_key: Sent | None = None

    async def taken(self) -> Statement | None:
        """The statement as `again` gives it, for binding, which uses it up. Raises Failure."""
        found = await self.again()
        self.statement = None
        return found

    async def again(self) -> Statement | None:
        """The statement at its instant, parsed once more where it has to be; None of a long text. Raises Failure."""
        if self.statement is None and len(self.text) > LIGHT_CHARACTERS:
            return None
        return at_instant(self.statement or await light_statement(self.text, self.parameters), self.instant)


async def light_statement(sql: str, parameters: Parameters) -> Statement:
    """The statement of a text of at most LIGHT_CHARACTERS. Raises Failure."""
    if len(sql) <= TINY_CHARACTERS:
        return parse(sql, parameters)
    return await in_thread(parse, sql, parameters)


async def in_thread(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """Runs pure work that may take long off the event loop. Cancellation does not wait for the thread."""
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)
