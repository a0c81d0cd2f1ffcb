"""Asks a person before a query scans a large table, or costs much, where the client can ask (elicitation)."""

from dataclasses import dataclass

from mcp import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from mcp_server.domain.failures import Fact, Failure
from mcp_server.domain.failures.confirmations import ConfirmationFact
from mcp_server.domain.failures.scans import LargeScan, ScanFact
from mcp_server.engine.results import Explanation
from mcp_server.ports.single_use import SingleUse
from mcp_server.surface.call import Call
from mcp_server.surface.sessions import shows_forms
from mcp_server.surface.wording import confirmations, scans
from shared_kernel.entropy import Entropy

_QUESTION = "go_on"
_FORM = {
    "type": "object",
    "properties": {"read_it_all": {"type": "boolean", "title": "Read it all", "description": "Whether to go on."}},
    "required": ["read_it_all"],
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: whether large tables may be scanned, or so many read units spent."""

    message: str
    full_scan: bool
    read_units: float


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a person said yes to; a no allows nothing, and is not to be asked again."""

    yes: bool
    full_scan: bool = False
    read_units: float | None = None


def is_askable(failure: Failure) -> bool:
    """Whether a person's yes lets the call go on."""
    return isinstance(failure.fact, ScanFact | ConfirmationFact)


def question(fact: Fact, explanation: Explanation) -> Question:
    """What to ask so that a call goes on which failed for that fact; the explanation is that of its statement."""
    if isinstance(fact, ConfirmationFact):
        return Question(confirmations.question(fact), full_scan=False, read_units=fact.read_units)
    tables = () if not isinstance(fact, ScanFact) or isinstance(fact, LargeScan) else (fact.table.name,)
    message = scans.question(tables, explanation.reads, explanation.cost)
    return Question(message, full_scan=True, read_units=explanation.cost.read_units)


class Confirmations:
    """Asks, and takes each yes once: the state that comes with it holds a token, whose use `used` notes.

    The state also holds what was asked. It is sealed on its way, and bound to the principal and to the arguments, so a
    yes is one to this statement.
    """

    def __init__(self, used: SingleUse, entropy: Entropy, *, lifetime_seconds: float) -> None:
        self._used, self._entropy, self._lifetime_seconds = used, entropy, lifetime_seconds

    def input_required(self, asked: Question) -> InputRequiredResult:
        """The result that asks."""
        state = f"{self._entropy.token()} {int(asked.full_scan)} {asked.read_units!r}"
        return InputRequiredResult(input_requests={_QUESTION: _form(asked)}, request_state=state)

    async def answered(self, call: Call) -> Agreed | None:
        """What the person said; None if this call brings no answer, or one that was used before."""
        answer = (call.answers or {}).get(_QUESTION)
        if call.state is None or not isinstance(answer, ElicitResult):
            return None
        if not await self._used.use(call.state, self._lifetime_seconds):
            return None
        _, full_scan, read_units = call.state.split(" ")
        return agreed(answer, full_scan=full_scan == "1", read_units=float(read_units))


def agreed(answer: ElicitResult, *, full_scan: bool, read_units: float) -> Agreed:
    """What an answer to a question about that allows."""
    yes = answer.action == "accept" and (answer.content or {}).get("read_it_all") is True
    return Agreed(True, full_scan, read_units) if yes else Agreed(False)


async def ask(call: Call, asked: Question, seconds: float) -> Agreed:
    """What a person says at once, before a client of a handshake revision; whoever says nothing in time says no."""
    try:
        answer = await call.ask(_form(asked), ElicitResult, seconds)
    except (MCPError, ValidationError):  # late, an error for an answer, or none that the protocol knows
        return Agreed(False)
    return agreed(answer, full_scan=asked.full_scan, read_units=asked.read_units)


def asks(call: Call) -> bool:
    """Whether the client asks its person, in whichever way its revision has."""
    return asks_in_result(call) or call.shows_forms


def asks_in_result(call: Call) -> bool:
    """Whether the client asks its person what a result wants to know."""
    return call.capabilities is not None and shows_forms(call.capabilities)


def _form(asked: Question) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=asked.message, requested_schema=_FORM))
