"""The operator's verbs over HTTP, on a listener of their own: JSON, a key in every request, no body and no cookie."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from auth_server.flows.administration import remote
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.flows.administration.remote import NotAnAdministrator, RemoteAdministration, RoleNotEnough, Verb
from auth_server.ports.store import StoreUnavailable
from auth_server.web.refusals import NOT_STORED, STORE_RETRY_AFTER
from shared_kernel.asgi import App, Receive, Scope, Send, header_values, send_json
from shared_kernel.client_address import client_address

VERBS: Mapping[str, Mapping[str, Verb]] = {
    "/users": {"GET": remote.LIST_USERS},
    "/users/{user}": {"GET": remote.SHOW_USER},
    "/users/{user}/disable": {"POST": remote.DISABLE_USER},
    "/users/{user}/enable": {"POST": remote.ENABLE_USER},
    "/clients": {"GET": remote.LIST_CLIENTS},
    "/clients/{client:path}": {"GET": remote.SHOW_CLIENT, "DELETE": remote.DELETE_CLIENT},
    "/grants": {"GET": remote.LIST_GRANTS},
    "/grants/{grant}": {"DELETE": remote.REVOKE_GRANT},
    "/sessions": {"GET": remote.LIST_SESSIONS},
    "/sessions/{session}": {"DELETE": remote.END_SESSION},
}
"""Every path, and what each method does there."""
_ABSENT = {Problem.NO_SUCH_USER, Problem.NO_SUCH_CLIENT, Problem.NO_SUCH_GRANT, Problem.NO_SUCH_SESSION}


def administration_site(administration: RemoteAdministration) -> App:
    """The application."""

    def endpoint(verbs: Mapping[str, Verb]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await _answer(administration, verbs, request)

        return handle

    routes = [Route(path, endpoint(verbs), methods=[*verbs]) for path, verbs in VERBS.items()]
    return Router(routes, redirect_slashes=False, default=_missing)


async def _missing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 404, {"error": "not_found", "message": "There is nothing here."}, NOT_STORED.items())


async def _answer(administration: RemoteAdministration, verbs: Mapping[str, Verb], request: Request) -> Response:
    arguments = {**request.query_params, **request.path_params}
    try:
        verb = verbs["GET" if request.method == "HEAD" else request.method]
        document = await administration.perform(verb, arguments, _key(request), client_address(request.scope))
    except NotAnAdministrator:
        return _refusal(401, "unauthorized", "Send a key of the operator's as Authorization: Bearer.")
    except RoleNotEnough:
        return _refusal(403, "forbidden", "The key's role does not allow this.")
    except CannotDo as problem:
        status = 404 if problem.problem in _ABSENT else 409
        return _refusal(status, problem.problem.name.lower(), str(problem))
    except StoreUnavailable:
        return _refusal(503, "store_unavailable", "The store cannot be read or written; try again.")
    return JSONResponse(document, headers=NOT_STORED)


def _key(request: Request) -> str | None:
    """The one key of the request: never a cookie, which a browser would send for anybody's page."""
    sent = header_values(request.scope, "authorization")
    scheme, _, key = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    return key if scheme.lower() == "bearer" and key else None


def _refusal(status: int, code: str, message: str) -> Response:
    """A refusal, in the words of the command line."""
    headers = dict(NOT_STORED)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="administration"'
    if status == 503:
        headers["Retry-After"] = str(STORE_RETRY_AFTER)
    return JSONResponse({"error": code, "message": message}, status, headers)
