"""`/consent`: the page on which a person allows or denies."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows import consent as flows
from auth_server.flows.sign_in import AlreadyUsed, Forged, Stale
from auth_server.web import display, pages
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from auth_server.web.parameters import BadRequest

_log = structlog.get_logger("web")


def consent(flow: flows.Consent, browser: Browser) -> Endpoint:
    """Shows the question and takes the answer."""

    async def get(request: Request) -> Response:
        transaction_id = request.query_params.get("transaction", "")
        match await flow.view(transaction_id, browser.browser_id(request), browser.session_id(request)):
            case flows.ConsentPage() as page:
                return browser.render(_page(page, transaction_id, browser.path("consent")))
            case other:
                return elsewhere(request, transaction_id, other)

    async def post(request: Request) -> Response:
        if not browser.is_from_our_page(request):
            return browser.end(request, Forged())
        fields = await form_fields(request)
        decision, transaction_id = fields.get("decision"), fields.get("transaction", "")
        if decision not in {"approve", "deny"}:
            raise BadRequest("The form says neither approve nor deny.")
        outcome = await flow.decide(
            transaction_id,
            browser.browser_id(request),
            browser.session_id(request),
            csrf_token=fields.get("csrf", ""),
            approve=decision == "approve",
        )
        match outcome:
            case flows.Redirect(url, approved):
                _log.info("consent_decided", approved=approved)
                return browser.redirect(url)
            case other:
                return elsewhere(request, transaction_id, other)

    def elsewhere(
        request: Request, transaction_id: str, outcome: flows.NeedsSignIn | Stale | AlreadyUsed | Forged
    ) -> Response:
        if isinstance(outcome, flows.NeedsSignIn):
            return browser.to_transaction("login", transaction_id)
        return browser.end(request, outcome)

    return browser.endpoint(get=get, post=post)


def _page(page: flows.ConsentPage, transaction_id: str, action: str) -> pages.ConsentPage:
    return pages.ConsentPage(
        action=action,
        transaction=transaction_id,
        csrf=page.csrf_token,
        client_name=display.name(page.client_name),
        unverified=not page.client_verified,
        user=page.user_email,
        scopes=pages.scope_texts(page.scopes),
        resource=page.resource,
        workspace=page.workspace,
        redirect_host=page.redirect_host,
        to_this_computer=page.redirect_is_loopback,
        to_an_app=page.redirect_is_private_scheme,
    )
