"""What the operator does about people: their accounts, their sessions, and what they have allowed."""

from collections.abc import Sequence
from dataclasses import replace

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.grant import Grant
from auth_server.domain.user import (
    MalformedEmail,
    Session,
    UnusablePassword,
    User,
    normalise_email,
    prepare_password,
)
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Role
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.audit import AuditTrail
from auth_server.ports.consents import ConsentStore
from auth_server.ports.grants import GrantStore
from auth_server.ports.people import PasswordHasher, SessionStore, UserStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class People:
    """The operator's verbs about people. `name` is an e-mail address or a user id. All raise CannotDo."""

    def __init__(
        self,
        *,
        users: UserStore,
        sessions: SessionStore,
        grants: GrantStore,
        consents: ConsentStore,
        passwords: PasswordHasher,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._users, self._sessions, self._grants, self._consents = users, sessions, grants, consents
        self._passwords, self._trail, self._clock, self._entropy = passwords, trail, clock, entropy

    async def create(
        self, email: str, password: str, workspace: str = DEFAULT_WORKSPACE.name, role: Role = Role.MEMBER
    ) -> User:
        """Adds a person who belongs to that workspace."""
        user = User(
            user_id=credentials.new_user_id(self._entropy),
            email=_normal(email),
            password_hash=await self._passwords.hash(_prepared(password)),
            created_at=self._clock.now(),
            memberships=(Membership(workspace, role),),
        )
        if not await self._users.add_user(user):
            is_taken = await self._users.user_by_email(user.email) is not None
            raise CannotDo(Problem.EMAIL_TAKEN if is_taken else Problem.NO_SUCH_WORKSPACE)
        return user

    async def all(self) -> Sequence[User]:
        """Everybody, oldest first."""
        return await self._users.users()

    async def find(self, name: str) -> User:
        """The person of that address or id."""
        user = await (self._users.user_by_email(_normal(name)) if "@" in name else self._users.user(name))
        if user is None:
            raise CannotDo(Problem.NO_SUCH_USER)
        return user

    async def disable(self, name: str) -> User:
        """Ends the person's sessions, and lets nobody sign in or refresh in their name until they are enabled."""
        user, now = await self.find(name), self._clock.now()
        _done(await self._users.disable_user(user.user_id, now))
        return replace(user, disabled_at=user.disabled_at or now)

    async def enable(self, name: str) -> User:
        """Lets the person sign in again, and their grants give tokens again."""
        user = await self.find(name)
        _done(await self._users.enable_user(user.user_id))
        return replace(user, disabled_at=None)

    async def delete(self, name: str) -> User:
        """Removes the person, with their sessions and grants."""
        user, now = await self.find(name), self._clock.now()
        grants = await self._grants.grants(now, user.user_id)
        _done(await self._users.delete_user(user.user_id, now))
        self.record_ended(grants)
        return user

    async def set_password(self, name: str, password: str) -> User:
        """Replaces the password and ends the person's sessions; their grants stay."""
        user, prepared = await self.find(name), _prepared(password)
        _done(await self._users.set_password_hash(user.user_id, await self._passwords.hash(prepared)))
        return user

    async def sessions(self, name: str | None = None) -> Sequence[Session]:
        """The signed-in browsers of a person, or all."""
        user = await self.find(name) if name else None
        found = await self._sessions.sessions(self._clock.now())
        return [session for session in found if user is None or session.user_id == user.user_id]

    async def end_session(self, digest: str) -> None:
        """Signs a browser out; `digest` is how sessions() names it."""
        if not await self._sessions.end_session(digest):
            raise CannotDo(Problem.NO_SUCH_SESSION)

    async def grants(self, name: str | None = None, client_id: str | None = None) -> Sequence[Grant]:
        """What a person has allowed, or what a client has been allowed, or all that is alive."""
        user = await self.find(name) if name else None
        return [
            grant
            for grant in await self._grants.grants(self._clock.now(), user.user_id if user else None)
            if client_id in {None, grant.client_id}
        ]

    async def revoke_grant(self, handle: str) -> None:
        """Ends a grant, and with it what its person need not be asked about its client again.

        `handle` is the `gid` of its tokens.
        """
        now = self._clock.now()
        # That of somebody who is disabled is found among all only.
        found = await self._grants.grant_by_handle(handle, now)
        alive = [found] if found else [grant for grant in await self._grants.grants(now) if grant.handle == handle]
        for grant in alive:
            await self._consents.end_consents(grant.client_id, grant.user_id)
        if not await self._grants.revoke_grant_by_handle(handle, None, now):
            raise CannotDo(Problem.NO_SUCH_GRANT)
        self.record_ended(alive)

    async def revoke_grants(self, name: str | None = None, client_id: str | None = None) -> Sequence[str]:
        """Ends what a person has allowed, or what a client has been allowed, remembered consents included.

        Gives the handles of the grants that were alive.
        """
        user, now = await self.find(name) if name else None, self._clock.now()
        user_id = user.user_id if user else None
        # Before the grants: what rests on a consent meanwhile is one of those.
        clients = {each.key.client_id for each in await self._consents.consents(user_id, now)} if user_id else set()
        for each in clients if client_id is None else {client_id}:
            await self._consents.end_consents(each, user_id)
        grants = await self.grants(name, client_id)
        for grant in grants:
            await self._grants.revoke_grant_by_handle(grant.handle, None, now)
            self.record_ended([grant])
        return [grant.handle for grant in grants]

    def record_ended(self, grants: Sequence[Grant]) -> None:
        """Records the end of grants in the stories of their flows."""
        for grant in grants:
            self._trail.record(
                EventName.GRANT_ENDED, flow_id=grant.handle, client_id=grant.client_id, user_id=grant.user_id
            )


def _normal(email: str) -> str:
    try:
        return normalise_email(email)
    except MalformedEmail as error:
        raise CannotDo(Problem.MALFORMED_EMAIL) from error


def _prepared(password: str) -> str:
    try:
        return prepare_password(password)
    except UnusablePassword as error:
        raise CannotDo(Problem.UNUSABLE_PASSWORD) from error


def _done(found: bool) -> None:
    if not found:  # deleted between finding and doing
        raise CannotDo(Problem.NO_SUCH_USER)
