"""The operator's verbs together, over one store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from auth_server.flows.administration.clients import Clients
from auth_server.flows.administration.initial_tokens import InitialTokens
from auth_server.flows.administration.people import People
from auth_server.flows.administration.workspaces import Workspaces
from auth_server.ports.audit import AuditTrail
from auth_server.ports.people import PasswordHasher
from auth_server.ports.store import Store
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class Administration:
    """What an operator can do without the master key."""

    people: People
    clients: Clients
    initial_tokens: InitialTokens
    workspaces: Workspaces

    @classmethod
    def over(
        cls,
        store: Store,
        *,
        resources: Sequence[str],
        passwords: PasswordHasher,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> Self:
        """The verbs over a store; `resources` are those of the server. What they end is recorded in the trail."""
        people = People(
            users=store,
            sessions=store,
            grants=store,
            consents=store,
            passwords=passwords,
            trail=trail,
            clock=clock,
            entropy=entropy,
        )
        return cls(
            people=people,
            clients=Clients(clients=store, resources=resources, clock=clock, entropy=entropy),
            initial_tokens=InitialTokens(tokens=store, clock=clock, entropy=entropy),
            workspaces=Workspaces(workspaces=store, people=people, clock=clock),
        )
