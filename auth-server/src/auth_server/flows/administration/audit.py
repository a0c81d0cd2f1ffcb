"""What the operator reads in the audit trail."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auth_server.domain.audit import AuditBatch, AuditEvent, BrokenTrail, EventName, Misfit, Verification
from auth_server.domain.authorization import TRANSACTION_LIFETIME
from auth_server.flows.administration import story
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.flows.administration.story import Step
from auth_server.ports.audit import AuditStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.people import UserStore
from shared_kernel.clock import Clock
from shared_kernel.request_id import request_time

NEAR_SECONDS = TRANSACTION_LIFETIME + 60
"""How far around an event the others of its sign-in are looked for, where no index leads to them."""
MOST_NEARBY = 20
_SKEW = 5.0

_Place = tuple[int, int]
"""Where an event stands: the number of its batch, and its own in there."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A story. `client_name` and `email` are empty where client or person are gone, or there was none.

    `nearby` is what the same client did at about the same time from the same address, where no flow connects it.
    """

    identifier: str
    flow_id: str
    client_id: str
    client_name: str
    user_id: str
    email: str
    steps: Sequence[Step]
    findings: Sequence[str]
    nearby: Sequence[Step]


class Audit:
    """The operator's verbs about the audit trail. All raise StoreUnavailable."""

    def __init__(self, *, trail: AuditStore, clients: ClientStore, users: UserStore, clock: Clock) -> None:
        self._trail, self._clients, self._users, self._clock = trail, clients, users, clock

    async def verify(self, expected: Mapping[int, bytes], kept_since: float) -> Verification:
        """Judges the trail, which is kept since that time; `expected` are hashes by number of batch.

        Raises BrokenTrail.
        """
        verification = Verification(expected)
        # The head is read first: what is appended meanwhile comes after it.
        head = await self._trail.audit_head()
        async for batch in self._trail.audit_batches():
            verification.check(batch)
            if batch.head == head:
                break
        if verification.last is None and head.time_ms > kept_since * 1000:
            raise BrokenTrail(head.sequence, Misfit.NOT_THE_END)
        verification.finish(head)
        return verification

    async def events(
        self, since: float, *, user: str | None = None, client_id: str | None = None
    ) -> AsyncIterator[AuditEvent]:
        """What happened since then, in order; of one person (an address or an id), or one client. Raises CannotDo."""
        user_id = await self._user_id(user) if user else None
        async for _, event in self._between(since):
            is_wanted = user_id in (None, event.user_id) and client_id in (None, event.client_id)
            if is_wanted and event.time_ms >= since * 1000:
                yield event

    async def explain(self, identifier: str, since: float) -> Explanation:
        """The story of a request, or of the flow (the `gid` of tokens) of that id. Raises CannotDo.

        `since` is how far back a flow without a person is looked for.
        """
        came_at = request_time(identifier)
        if came_at is None:
            return await self._explained(identifier, await self._of_flow(identifier, since, math.inf))
        events = await self._of_request(identifier, came_at)
        flow_ids = {event.flow_id for event in events.values() if event.flow_id}
        for flow_id in flow_ids:  # one, as far as there is any
            events |= await self._of_flow(flow_id, came_at - NEAR_SECONDS, came_at + NEAR_SECONDS)
        return await self._explained(identifier, events, nearby=not flow_ids)

    async def _of_request(self, request_id: str, came_at: float) -> dict[_Place, AuditEvent]:
        found: dict[_Place, AuditEvent] = {}
        async for place, event in self._between(came_at - _SKEW):
            if event.request_id == request_id:
                found[place] = event
            # A store that was away may have been told late.
            elif found and event.time_ms > (came_at + NEAR_SECONDS) * 1000:
                break
        return found

    async def _of_flow(self, flow_id: str, since: float, until: float) -> dict[_Place, AuditEvent]:
        found: dict[_Place, AuditEvent] = {}
        of_no_flow: dict[_Place, AuditEvent] = {}

        def sort(place: _Place, event: AuditEvent) -> None:
            if event.flow_id == flow_id:
                found[place] = event
            elif not event.flow_id and event.request_id:
                of_no_flow[place] = event

        for batch in await self._trail.audit_of(flow_id):
            for place, event in _placed(batch):
                sort(place, event)
        if found:
            first = min(event.time_ms for event in found.values()) / 1000
            since, until = first - NEAR_SECONDS, first + NEAR_SECONDS
        # Before somebody signs in, and where nobody does, no index leads to it; nor to what is of no flow by itself.
        async for place, event in self._between(since, until):
            sort(place, event)
        request_ids = {event.request_id for event in found.values()}
        return found | {place: event for place, event in of_no_flow.items() if event.request_id in request_ids}

    async def _explained(
        self, identifier: str, events: Mapping[_Place, AuditEvent], *, nearby: bool = False
    ) -> Explanation:
        if not events:
            raise CannotDo(Problem.NOT_IN_THE_TRAIL)
        ordered = [event for _, event in sorted(events.items(), key=lambda item: (item[1].time_ms, item[0]))]
        # A resource server that asks about a token is none of its flow's clients.
        client_id = _last(event.client_id for event in ordered if event.name is not EventName.INTROSPECTED)
        user_id = _last(event.user_id for event in ordered)
        client = await self._clients.client(client_id) if client_id else None
        user = await self._users.user(user_id) if user_id else None
        return Explanation(
            identifier=identifier,
            flow_id=_last(event.flow_id for event in ordered),
            client_id=client_id,
            client_name=client.name if client else "",
            user_id=user_id,
            email=user.email if user else "",
            steps=[story.step(event) for event in ordered],
            findings=story.findings(ordered, self._clock.now()),
            nearby=[story.step(event) for event in await self._nearby(ordered[0])] if nearby else [],
        )

    async def _nearby(self, event: AuditEvent) -> Sequence[AuditEvent]:
        """Other requests that the same client seems to have made from the same address at about the same time."""
        if not event.client_id or not event.address:
            return []
        found: list[AuditEvent] = []
        at = event.time_ms / 1000
        async for _, other in self._between(at - NEAR_SECONDS, at + NEAR_SECONDS):
            is_same = (other.client_id, other.address) == (event.client_id, event.address)
            if is_same and other.request_id != event.request_id:
                found.append(other)
        return found[-MOST_NEARBY:]

    async def _between(self, since: float, until: float = math.inf) -> AsyncIterator[tuple[_Place, AuditEvent]]:
        """The events of the batches that were appended in that time, each with its place. Raises UnreadableBatch."""
        async for batch in self._trail.audit_batches(since):
            if batch.time_ms > (until + _SKEW) * 1000:
                return
            for place, event in _placed(batch):
                yield place, event

    async def _user_id(self, user: str) -> str:
        found = await self._users.user_by_email(user) if "@" in user else None
        return found.user_id if found else user


def _placed(batch: AuditBatch) -> Iterator[tuple[_Place, AuditEvent]]:
    """The events of a batch, each with its place. Raises UnreadableBatch."""
    for number, event in enumerate(batch.events()):
        yield (batch.sequence, number), event


def _last(texts: Iterable[str]) -> str:
    """The last text that is not empty."""
    return next((text for text in reversed([*texts]) if text), "")
