"""Records what happens: a line in the log at once, and an event in the store's audit trail within a second.

Requests never wait for the trail. While the store is away the events wait here, up to MOST_WAITING of them.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import anyio
import structlog

from auth_server.adapters.audit_budget import AuditBudget
from auth_server.domain import audit
from auth_server.domain.audit import AuditBatch, AuditEvent, AuditHead, EventName, Fact
from auth_server.domain.failures import ALARMS
from auth_server.ports.audit import AuditStore
from auth_server.ports.store import StoreUnavailable
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.logs import REQUEST_ID
from shared_kernel.redaction import could_hold_secret, redact

INTERVAL_SECONDS = 1.0
"""Most time that an event waits for others while the store answers, and so what a SIGKILL can lose."""
MOST_WAITING = 10_000
"""Events that wait for a store that is away; each further one is the end of the oldest."""
CLOSING_SECONDS = 2.0
_MOST_IN_BATCH = 250
_ATTEMPTS = 50
"""Times that other processes may be faster before a batch waits for the next turn."""
_WRITER_BITS = 48


class StoreAuditTrail:
    """Implements AuditTrail over an AuditStore. With `keeps` false there are only lines in the log."""

    def __init__(self, store: AuditStore, clock: Clock, entropy: Entropy, *, keeps: bool = True) -> None:
        self._store, self._clock, self._keeps = store, clock, keeps
        self._log = structlog.get_logger("audit")
        self._writer = entropy.token(_WRITER_BITS)
        self._budget = AuditBudget(clock)
        self._waiting: deque[AuditEvent] = deque()
        self._lost = 0
        self._some, self._urgent = asyncio.Event(), asyncio.Event()
        self._writing = asyncio.Lock()
        self._taken: list[AuditEvent] = []
        self._batch: AuditBatch | None = None
        self._head: AuditHead | None = None

    def record(
        self,
        name: EventName,
        *,
        flow_id: str | None = None,
        client_id: str | None = None,
        user_id: str | None = None,
        address: str | None = None,
        reason: str | None = None,
        **facts: Fact | None,
    ) -> str:
        """See AuditTrail."""
        if reason is None:
            write = self._log.info if name.level == "info" else getattr(self._log, name.level)
            write(name.value, client_id=client_id, user_id=user_id, grant=flow_id, address=address, **facts)
        else:
            more: dict[str, Fact | None] = {"reason": reason, **facts}
            if reason in ALARMS:
                more["alarm"] = True
            write = self._log.error if reason in ALARMS else getattr(self._log, name.level)
            write(name.value, client_id=client_id, user_id=user_id, grant=flow_id, address=address, **more)
        request_id = REQUEST_ID.get()
        if not self._keeps:
            return request_id
        self._some.set()
        if self._budget.allows(name, client_id, user_id, address):
            self._add(
                AuditEvent(
                    time_ms=int(self._clock.now() * 1000),
                    name=name,
                    flow_id=flow_id or "",
                    request_id=request_id,
                    client_id=_clean(client_id),
                    user_id=user_id or "",
                    address=address or "",
                    reason=reason or "",
                    facts=_cleaned(facts),
                )
            )
        return request_id

    async def run(self) -> None:
        """Writes what is recorded, until it is cancelled."""
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), INTERVAL_SECONDS)
            self._some.clear()
            self._urgent.clear()
            if not await self.flush():
                await asyncio.sleep(INTERVAL_SECONDS)
                self._some.set()

    async def flush(self) -> bool:
        """Writes what has been recorded; False if the store is away, and everything waits for the next time."""
        async with self._writing:
            while self._take():
                try:
                    if not await self._append():
                        return False
                except StoreUnavailable:
                    return False
                except Exception:  # whatever is wrong with these events, the next ones are others
                    self._log.exception("audit_failed", events=len(self._taken))
                    self._lost += len(self._taken)
                self._taken, self._batch = [], None
            return True

    async def close(self) -> None:
        """Writes what is left, while the store answers within CLOSING_SECONDS."""
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            await self.flush()
        left = self._lost + len(self._taken) + len(self._waiting)
        if left:
            self._log.error(EventName.AUDIT_GAP.value, count=left)

    def _add(self, event: AuditEvent) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        if event.is_alarm:
            self._urgent.set()

    def _take(self) -> bool:
        """Takes the next events, unless there are some that have not been written; whether there are any."""
        if self._taken:
            return True
        # What was lost is told where it is missing: before all that was recorded later.
        if self._lost:
            self._taken.append(self._told(EventName.AUDIT_GAP, {"count": self._lost}))
            self._lost = 0
        while self._waiting and len(self._taken) < _MOST_IN_BATCH:
            self._taken.append(self._waiting.popleft())
        if not self._waiting:
            for (name, client_id, user_id), count in self._budget.counted().items():
                told = self._told(EventName.AUDIT_COUNTED, {"count": count, "of": name.value}, client_id, user_id)
                self._taken.append(told)
        return bool(self._taken)

    def _told(
        self, name: EventName, facts: Mapping[str, Fact], client_id: str | None = None, user_id: str | None = None
    ) -> AuditEvent:
        """An event about the trail itself."""
        getattr(self._log, name.level)(name.value, client_id=client_id, user_id=user_id, **facts)
        return AuditEvent(
            time_ms=int(self._clock.now() * 1000),
            name=name,
            client_id=_clean(client_id),
            user_id=user_id or "",
            facts=facts,
        )

    async def _append(self) -> bool:
        """Appends the events that are taken; False if other processes were faster every time."""
        for _ in range(_ATTEMPTS):
            # One that was sent and not answered is sent again as it is: it may be there.
            if self._batch is None:
                head = self._head or await self._store.audit_head()
                body = audit.packed(self._taken, self._writer)
                self._batch, self._head = audit.following(head, body, int(self._clock.now() * 1000)), None
            if await self._store.append_audit(self._batch):
                self._head = self._batch.head
                return True
            self._batch = None
        return False


def _cleaned(facts: Mapping[str, Fact | None]) -> Mapping[str, Fact]:
    return {
        name: _clean(value) if isinstance(value, str) else value for name, value in facts.items() if value is not None
    }


def _clean(text: str | None) -> str:
    """The text, short, without a secret that somebody has put in a wrong place."""
    if not text:
        return ""
    text = text[: audit.LONGEST_TEXT]
    if not could_hold_secret(text):
        return text
    return redact(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
