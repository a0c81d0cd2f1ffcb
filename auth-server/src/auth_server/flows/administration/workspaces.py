"""What the operator does about workspaces, and about who belongs to them."""

from collections.abc import Sequence

from auth_server.domain.client_name import safe_name
from auth_server.domain.user import User
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Role, Workspace, is_workspace_name
from auth_server.flows.administration.people import People
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.workspaces import Joining, Removal, WorkspaceStore
from shared_kernel.clock import Clock

_PROBLEMS = {
    Joining.NO_USER: Problem.NO_SUCH_USER,
    Joining.NO_WORKSPACE: Problem.NO_SUCH_WORKSPACE,
    Joining.TOO_MANY: Problem.TOO_MANY_MEMBERSHIPS,
}


class Workspaces:
    """The operator's verbs about workspaces. `person` is an e-mail address or a user id. All raise CannotDo."""

    def __init__(self, *, workspaces: WorkspaceStore, people: People, clock: Clock) -> None:
        self._workspaces, self._people, self._clock = workspaces, people, clock

    async def create(self, name: str, title: str | None = None) -> Workspace:
        """Adds a workspace; without a title it is called by its name."""
        if not is_workspace_name(name):
            raise CannotDo(Problem.UNUSABLE_WORKSPACE_NAME)
        workspace = Workspace(name, _display_title(title if title is not None else name), self._clock.now())
        if name == DEFAULT_WORKSPACE.name or not await self._workspaces.add_workspace(workspace):
            raise CannotDo(Problem.WORKSPACE_EXISTS)
        return workspace

    async def all(self) -> Sequence[Workspace]:
        """The default workspace, then the others, oldest first."""
        return [DEFAULT_WORKSPACE, *await self._workspaces.workspaces()]

    async def update(self, name: str, title: str) -> Workspace:
        """Gives a workspace another title, which people read from their next page on; its name stays."""
        displayed = _display_title(title)
        if name == DEFAULT_WORKSPACE.name:
            raise CannotDo(Problem.WORKSPACE_KEEPS_TITLE)
        if not await self._workspaces.retitle_workspace(name, displayed):
            raise CannotDo(Problem.NO_SUCH_WORKSPACE)
        for workspace in await self._workspaces.workspaces([name]):
            return workspace
        raise CannotDo(Problem.NO_SUCH_WORKSPACE)

    async def remove(self, name: str) -> None:
        """Removes a workspace that nobody and nothing belongs to."""
        if name == DEFAULT_WORKSPACE.name:
            raise CannotDo(Problem.WORKSPACE_IS_PERMANENT)
        match await self._workspaces.remove_workspace(name):
            case Removal.UNKNOWN:
                raise CannotDo(Problem.NO_SUCH_WORKSPACE)
            case Removal.IN_USE:
                raise CannotDo(Problem.WORKSPACE_IN_USE)

    async def members(self, name: str) -> Sequence[tuple[User, Role]]:
        """Who belongs to a workspace, and as what; those first who were added first."""
        if name != DEFAULT_WORKSPACE.name and not await self._workspaces.workspaces([name]):
            raise CannotDo(Problem.NO_SUCH_WORKSPACE)
        found = [(user, user.role_in(name)) for user in await self._people.all()]
        return [(user, role) for user, role in found if role is not None]

    async def add_member(self, name: str, person: str, role: Role) -> User:
        """Has a person belong to a workspace in that role; one who had another role there must sign in again."""
        user = await self._people.find(person)
        former = [grant for grant in await self._people.grants(user.user_id) if grant.tenant == name]
        outcome = await self._workspaces.set_membership(user.user_id, Membership(name, role), self._clock.now())
        if outcome is not Joining.JOINED:
            raise CannotDo(_PROBLEMS[outcome])
        if user.role_in(name) is not role:
            self._people.record_ended(former)
        return user

    async def remove_member(self, name: str, person: str) -> User:
        """Takes a person out of a workspace, and ends what they have allowed clients there."""
        user = await self._people.find(person)
        grants = [grant for grant in await self._people.grants(user.user_id) if grant.tenant == name]
        if not await self._workspaces.end_membership(user.user_id, name, self._clock.now()):
            raise CannotDo(Problem.NOT_A_MEMBER)
        self._people.record_ended(grants)
        return user


def _display_title(title: str) -> str:
    displayed = safe_name(title)
    if not displayed:
        raise CannotDo(Problem.UNUSABLE_NAME)
    return displayed
