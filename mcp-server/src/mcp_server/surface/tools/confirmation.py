"""Asks a person before a query scans a large table, where the client can ask (2026-07-28, elicitation)."""

from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from mcp_server.domain.prices import in_words
from mcp_server.engine.results import Explanation
from mcp_server.ports.single_use import SingleUse
from mcp_server.surface.call import Call
from shared_kernel.entropy import Entropy

_QUESTION = "full_scan"
_FORM = {
    "type": "object",
    "properties": {"read_it_all": {"type": "boolean", "title": "Read it all", "description": "Whether to go on."}},
    "required": ["read_it_all"],
}


class Confirmations:
    """Asks, and takes each yes once: the state that comes with it holds a token, whose use `used` notes.

    The state is sealed on its way, and bound to the principal and to the arguments, so a yes is one to this statement.
    """

    def __init__(self, used: SingleUse, entropy: Entropy, *, lifetime_seconds: float) -> None:
        self._used, self._entropy, self._lifetime_seconds = used, entropy, lifetime_seconds

    def question(self, explanation: Explanation) -> InputRequiredResult:
        """Asks whether the scans of a query may be made, with what all of it costs."""
        scans, cost = [read for read in explanation.reads if read.access == "Scan"], explanation.cost
        takes = [
            f'all of "{scan.relation.table.schema}.{scan.relation.table.name}": about {scan.estimate.items:,} items, '
            f"{scan.estimate.read_units:,.1f} read units"
            for scan in scans
        ]
        costs = f"{in_words(cost.on_demand_usd)} on demand, {in_words(cost.provisioned_usd)} of provisioned capacity"
        message = f"The query reads {'; '.join(takes)}. It costs {costs} ({cost.basis}). Go on?"
        form = ElicitRequestFormParams(message=message, requested_schema=_FORM)
        return InputRequiredResult(
            input_requests={_QUESTION: ElicitRequest(params=form)}, request_state=self._entropy.token()
        )

    async def answered(self, call: Call) -> bool | None:
        """Whether the person said yes; None if this call brings no answer, or one that was used before."""
        answer = (call.answers or {}).get(_QUESTION)
        if call.state is None or not isinstance(answer, ElicitResult):
            return None
        if not await self._used.use(call.state, self._lifetime_seconds):
            return None
        return answer.action == "accept" and (answer.content or {}).get("read_it_all") is True


def can_ask(call: Call) -> bool:
    """Whether the client asks its person what a result wants to know."""
    if call.capabilities is None or call.capabilities.elicitation is None:
        return False
    asks = call.capabilities.elicitation
    return asks.form is not None or asks.url is None
