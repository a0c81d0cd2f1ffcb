"""The operator's verbs for whoever holds a key: what may be asked, by whom, and a trail of all that was."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain.administrator import Administrator, AdministratorRole, holder
from auth_server.domain.audit import EventName
from auth_server.flows.administration.documents import of_client, of_grant, of_session, of_user
from auth_server.flows.administration.operation import Operation, recorded
from auth_server.flows.administration.verbs import Administration
from auth_server.ports.audit import AuditTrail

Arguments = Mapping[str, str]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that an operator does. `target` is the argument that names to what."""

    name: str
    needs: AdministratorRole
    act: Callable[[Administration, Arguments], Awaitable[Document]]
    target: str = ""


class NotAnAdministrator(Exception):
    """No key, or one that nobody holds."""


class RoleNotEnough(Exception):
    """The key is good, but not for this."""


async def _users(administration: Administration, _given: Arguments) -> Document:
    return {"users": [of_user(each) for each in await administration.people.all()]}


async def _user(administration: Administration, given: Arguments) -> Document:
    return of_user(await administration.people.find(given["user"]))


async def _disable(administration: Administration, given: Arguments) -> Document:
    return of_user(await administration.people.disable(given["user"]))


async def _enable(administration: Administration, given: Arguments) -> Document:
    return of_user(await administration.people.enable(given["user"]))


async def _clients(administration: Administration, _given: Arguments) -> Document:
    return {"clients": [of_client(each) for each in await administration.clients.all()]}


async def _client(administration: Administration, given: Arguments) -> Document:
    return of_client(await administration.clients.find(given["client"]))


async def _delete_client(administration: Administration, given: Arguments) -> Document:
    await administration.clients.delete(given["client"])
    return {"client_id": given["client"], "deleted": True}


async def _grants(administration: Administration, given: Arguments) -> Document:
    found = await administration.people.grants(given.get("user"), given.get("client"))
    return {"grants": [of_grant(each) for each in found]}


async def _revoke_grant(administration: Administration, given: Arguments) -> Document:
    await administration.people.revoke_grant(given["grant"])
    return {"revoked": [given["grant"]]}


async def _sessions(administration: Administration, given: Arguments) -> Document:
    return {"sessions": [of_session(each) for each in await administration.people.sessions(given.get("user"))]}


async def _end_session(administration: Administration, given: Arguments) -> Document:
    await administration.people.end_session(given["session"])
    return {"revoked": [given["session"]]}


_VIEWER, _OPERATOR = AdministratorRole.VIEWER, AdministratorRole.OPERATOR
LIST_USERS = Verb("list users", _VIEWER, _users)
SHOW_USER = Verb("show user", _VIEWER, _user, "user")
DISABLE_USER = Verb("disable user", _OPERATOR, _disable, "user")
ENABLE_USER = Verb("enable user", _OPERATOR, _enable, "user")
LIST_CLIENTS = Verb("list clients", _VIEWER, _clients)
SHOW_CLIENT = Verb("show client", _VIEWER, _client, "client")
DELETE_CLIENT = Verb("delete client", _OPERATOR, _delete_client, "client")
LIST_GRANTS = Verb("list grants", _VIEWER, _grants)
REVOKE_GRANT = Verb("revoke grant", _OPERATOR, _revoke_grant, "grant")
LIST_SESSIONS = Verb("list sessions", _VIEWER, _sessions)
END_SESSION = Verb("end session", _OPERATOR, _end_session, "session")


class RemoteAdministration:
    """Does what the holder of a key asks for, and records it, whatever came of it."""

    def __init__(
        self, administration: Administration, administrators: tuple[Administrator, ...], trail: AuditTrail
    ) -> None:
        self._administration, self._administrators, self._trail = administration, administrators, trail

    async def perform(self, verb: Verb, arguments: Arguments, key: str | None, address: str) -> Document:
        """The outcome of a verb. Raises NotAnAdministrator, RoleNotEnough, CannotDo, StoreUnavailable."""
        administrator = holder(self._administrators, key) if key else None
        target = arguments.get(verb.target, "all")
        if administrator is None or not administrator.role.includes(verb.needs):
            name = administrator.name if administrator else "nobody"
            self._trail.record(
                EventName.ADMINISTRATION_REFUSED, address=address, administrator=name, verb=verb.name, target=target
            )
            raise NotAnAdministrator if administrator is None else RoleNotEnough
        async with recorded(self._trail, Operation(administrator.name, verb.name, target, address)):
            return await verb.act(self._administration, arguments)
