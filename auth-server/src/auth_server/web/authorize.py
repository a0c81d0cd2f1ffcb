"""`/authorize`: where a client sends the browser."""

from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auth_server.flows.authorize import Authorize, Continue, ErrorRedirect, Rejected
from auth_server.ports.limits import AttemptLimiter
from auth_server.web import notices
from auth_server.web.browser import Browser
from auth_server.web.endpoint import Endpoint, Problem, request_id
from auth_server.web.parameters import BODY_LIMIT, BadRequest, Pairs, bounded_body, media_type, parse_form
from shared_kernel.asgi import header_values

_log = structlog.get_logger("web")


def authorize(
    flow: Authorize, browser: Browser, limiter: AttemptLimiter, address_of: Callable[[Request], str]
) -> Endpoint:
    """Takes authorization requests (RFC 6749 §3.1: GET, and POST of a form)."""

    async def get(request: Request) -> Response:
        # A guess of the browser's that the person may go here must not start anything. Only success would be kept.
        if _is_prefetch(request):
            return Response(status_code=403, headers={"Cache-Control": "no-store"})
        return await begin(request, parse_form(_query(request)))

    async def head(_request: Request) -> Response:
        return HTMLResponse(headers={"Cache-Control": "no-store"})

    async def post(request: Request) -> Response:
        if _query(request):
            raise BadRequest("Send the parameters in the URL or in the body, not in both.")
        if media_type(request.scope) != "application/x-www-form-urlencoded":
            raise BadRequest("Send Content-Type: application/x-www-form-urlencoded.")
        return await begin(request, parse_form(await bounded_body(request.receive)))

    async def begin(request: Request, pairs: Pairs) -> Response:
        wait = limiter.authorization_attempt(address_of(request))
        if wait is not None:
            headers = (("Retry-After", str(wait)),)
            text = "Too many authorization requests."
            return browser.refuse(request, Problem(429, "temporarily_unavailable", text, headers))
        return _answer(
            browser, request, await flow.begin(list(pairs), browser.browser_id(request), browser.session_id(request))
        )

    return browser.endpoint(get=get, head=head, post=post)


def _answer(browser: Browser, request: Request, outcome: Rejected | ErrorRedirect | Continue) -> Response:
    match outcome:
        case Rejected(reason):
            _log.info("authorization_rejected", reason=reason.value)
            return browser.render(notices.rejected(reason, request_id(request)), 400)
        case ErrorRedirect(url, reason):
            _log.info("authorization_refused", reason=reason.value)
            return browser.redirect(url)
        case Continue(transaction_id, browser_id, needs_sign_in):
            response = browser.to_transaction("login" if needs_sign_in else "consent", transaction_id)
            if browser_id != browser.browser_id(request):
                browser.set_browser_id(response, browser_id)
            return response


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    if len(query) > BODY_LIMIT:
        raise BadRequest("The URL is too long.")
    return query


def _is_prefetch(request: Request) -> bool:
    purposes = header_values(request.scope, "sec-purpose") + header_values(request.scope, "purpose")
    return any("prefetch" in purpose.lower() for purpose in purposes)
