"""`/login/upstream` and `/login/callback`: to another provider to sign in there, and back."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.consent import Consent
from auth_server.flows.upstream_sign_in import Callback, UpstreamSignIn
from auth_server.protocol import parameters
from auth_server.protocol.parameters import Parameters
from auth_server.web.browser import Browser
from auth_server.web.endpoint import Endpoint, while_connected
from auth_server.web.parameters import parse_form
from auth_server.web.sign_in import signed_in
from shared_kernel.client_address import client_address


def upstream(flow: UpstreamSignIn, browser: Browser) -> Endpoint:
    """Leads the browser to the provider."""

    async def get(request: Request) -> Response:
        transaction_id = request.query_params.get("transaction", "")
        return browser.redirect(await flow.begin(transaction_id, browser.browser_id(request)))

    return browser.endpoint(get=get)


def upstream_callback(flow: UpstreamSignIn, consent: Consent, browser: Browser) -> Endpoint:
    """Takes the browser back, signed in."""

    async def get(request: Request) -> Response:
        given = _parameters(request)
        callback = Callback(*(given.get(name) or "" for name in ("state", "code", "error", "iss")))
        arrived = await while_connected(
            request,
            flow.complete(
                callback,
                browser_id=browser.browser_id(request),
                session_id=browser.session_id(request),
                address=client_address(request.scope),
            ),
        )
        return await signed_in(request, arrived.transaction_id, arrived.signed_in, consent, browser)

    return browser.endpoint(get=get)


def _parameters(request: Request) -> Parameters:
    """Those of the query, each of which stands once. Raises Refused."""
    return parameters.parse(parse_form(request.scope["query_string"]))
