"""The audit trail: where flows record what they do, and where that is kept."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from auth_server.domain.audit import AuditBatch, AuditHead, EventName, Fact


class AuditTrail(Protocol):
    """What happened, for operators: one line in the log, and one event in the trail."""

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
        """Notes an event of the request that is being served; gives the request's id, which its caller may be told.

        Returns at once and never raises: the trail is written later. `flow_id` is the `gid` of the tokens that the flow
        leads to, or would. No argument is a secret, a code or a token.
        """
        ...


class AuditStore(Protocol):
    """The batches of a trail, of which every process of a store appends to the same one."""

    async def audit_head(self) -> AuditHead:
        """Where the trail ends; EMPTY where there never was a batch."""
        ...

    async def append_audit(self, batch: AuditBatch) -> bool:
        """Appends a batch if it follows the head, in one step; True also if this very batch is there already.

        False if another process was faster: the events then go into a batch that follows the new head.
        """
        ...

    def audit_batches(self, since: float = 0.0) -> AsyncIterator[AuditBatch]:
        """The batches that were appended at that time or later, in order. Raises StoreUnavailable."""
        ...

    async def audit_of(self, flow_id: str) -> Sequence[AuditBatch]:
        """The batches in which a person takes part in that flow, in order."""
        ...

    async def forget_audit(self, before: float) -> int:
        """Deletes the first batches of the trail, all that are older; gives their number. The head stays known."""
        ...
