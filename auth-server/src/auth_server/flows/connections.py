"""The clients that a person has allowed something, and the end of that."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client
from auth_server.domain.failures import Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import ClientStore
from auth_server.ports.consents import ConsentStore
from auth_server.ports.grants import GrantStore
from auth_server.ports.people import SessionStore
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Connection:
    """A client and the time at which it was last allowed something; `csrf_token` goes with the form that ends it."""

    client: Client
    since: float
    csrf_token: str


class Connections:
    """Shows and ends connections. One is all that a client has of a person: grants, and remembered consents."""

    def __init__(
        self,
        *,
        clients: ClientStore,
        sessions: SessionStore,
        grants: GrantStore,
        consents: ConsentStore,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._clients, self._sessions, self._grants, self._consents = clients, sessions, grants, consents
        self._trail, self._clock = trail, clock

    async def of(self, session_id: str | None) -> Sequence[Connection]:
        """The connections of the signed-in person, oldest first. Raises StoreUnavailable."""
        now = self._clock.now()
        user_id = await self._person(session_id, now)
        if user_id is None or session_id is None:
            return ()
        since = {each.key.client_id: each.given_at for each in await self._consents.consents(user_id, now)}
        since |= {grant.client_id: grant.created_at for grant in await self._grants.grants(now, user_id)}
        clients = [(await self._clients.client(client_id), moment) for client_id, moment in since.items()]
        return [
            Connection(client, moment, _csrf_token(session_id, client.client_id))
            for client, moment in clients
            if client
        ]

    async def end(self, session_id: str | None, client_id: str, *, csrf_token: str, address: str) -> None:
        """Ends what the person has allowed that client. Without a session, or a connection, there is nothing to do.

        Raises Refused (FORGED_FORM), StoreUnavailable.
        """
        now = self._clock.now()
        user_id = await self._person(session_id, now)
        if user_id is None or session_id is None:
            return
        if not credentials.same_digest(csrf_token, _csrf_token(session_id, client_id)):
            raise Refused(Reason.FORGED_FORM)
        # Before the grants: what rests on a consent meanwhile is one of those.
        if await self._consents.end_consents(client_id, user_id):
            self._trail.record(EventName.CONSENT_ENDED, client_id=client_id, user_id=user_id, address=address)
        for grant in await self._grants.grants(now, user_id):
            if grant.client_id == client_id:
                await self._grants.revoke_grant(grant.grant_id, now)
                self._trail.record(
                    EventName.DISCONNECTED,
                    flow_id=grant.handle,
                    client_id=client_id,
                    user_id=user_id,
                    address=address,
                )

    async def _person(self, session_id: str | None, now: float) -> str | None:
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        return session.user_id if session else None


def _csrf_token(session_id: str, client_id: str) -> str:
    return credentials.csrf_token(cookie=session_id, transaction_id=client_id, page="disconnect")
