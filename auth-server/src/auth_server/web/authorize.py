"""`/authorize`: where a client sends the browser."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auth_server.domain.failures import Reason, Refused
from auth_server.domain.workspace import is_workspace_name
from auth_server.flows.authorize import Answered, Authorize, Continue, ErrorRedirect
from auth_server.protocol.parameters import Pairs
from auth_server.web.browser import Browser, form_pairs
from auth_server.web.endpoint import Endpoint
from auth_server.web.parameters import BODY_LIMIT, parse_form
from shared_kernel.asgi import header_values
from shared_kernel.client_address import client_address

_AGAIN = ("again", "1")


def authorize(flow: Authorize, browser: Browser) -> Endpoint:
    """Takes authorization requests (RFC 6749 §3.1: GET, and POST of a form); the path may name a workspace."""

    async def get(request: Request) -> Response:
        # A guess of the browser's that the person may go here must not start anything. Only success would be kept.
        if _is_prefetch(request):
            return Response(status_code=403, headers={"Cache-Control": "no-store"})
        pairs = parse_form(_query(request))
        try:
            return await begin(request, pairs)
        except Refused as refused:
            if browser.browser_id(request) is None and _may_come_again(refused, pairs):
                return browser.redirect(f"{request.scope['path']}?{_query(request).decode('ascii')}&{'='.join(_AGAIN)}")
            raise

    async def head(_request: Request) -> Response:
        return HTMLResponse(headers={"Cache-Control": "no-store"})

    async def post(request: Request) -> Response:
        if _query(request):
            raise Refused(Reason.PARAMETERS_IN_URL_AND_BODY)
        return await begin(request, await form_pairs(request))

    async def begin(request: Request, pairs: Pairs) -> Response:
        known = browser.browser_id(request)
        address = client_address(request.scope)
        outcome = await flow.begin(
            pairs,
            browser_id=known,
            session_id=browser.session_id(request),
            address=address,
            workspace=_workspace(request),
        )
        return _answer(outcome, known, browser)

    return browser.endpoint(get=get, head=head, post=post)


def _answer(outcome: ErrorRedirect | Continue | Answered, known: str | None, browser: Browser) -> Response:
    """Where the browser goes; its cookie was `known`."""
    match outcome:
        case ErrorRedirect(url):
            return browser.redirect(url)
        case Answered(url, browser_id):
            response = browser.redirect(url)
        case Continue(transaction_id, browser_id, needs_sign_in):
            response = browser.to_transaction("login" if needs_sign_in else "consent", transaction_id)
    if browser_id != known:
        browser.set_browser_id(response, browser_id)
    return response


def _workspace(request: Request) -> str | None:
    """The workspace that the path names. Any that may exist will do: who is not in it learns no more than that."""
    name: str | None = request.path_params.get("workspace")
    if name is not None and not is_workspace_name(name):
        raise Refused(Reason.NOT_FOUND)
    return name


def _may_come_again(refused: Refused, pairs: Pairs) -> bool:
    """Whether a request without our cookie should be made once more.

    Some browsers ask twice at once, the first time they come: neither request has the cookie by which the second would
    be known for the first one's. It has it when it comes again.
    """
    return refused.reason is Reason.USED_REQUEST_URI and _AGAIN not in pairs


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    if len(query) > BODY_LIMIT:
        raise Refused(Reason.URL_TOO_LONG)
    return query


def _is_prefetch(request: Request) -> bool:
    purposes = header_values(request.scope, "sec-purpose") + header_values(request.scope, "purpose")
    return any("prefetch" in purpose.lower() for purpose in purposes)
