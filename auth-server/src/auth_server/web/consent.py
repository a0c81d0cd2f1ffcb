"""`/consent`: the page on which a person allows or denies."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows import consent as flows
from auth_server.web import pages
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from shared_kernel.client_address import client_address


def consent(flow: flows.Consent, browser: Browser) -> Endpoint:
    """Shows the question and takes the answer."""

    async def get(request: Request) -> Response:
        transaction_id = request.query_params.get("transaction", "")
        match await flow.view(transaction_id, browser.browser_id(request), browser.session_id(request)):
            case flows.ConsentQuestion() as question:
                return browser.render(_page(question, transaction_id, browser))
            case flows.NeedsSignIn():
                return browser.to_transaction("login", transaction_id)

    async def post(request: Request) -> Response:
        browser.check_is_our_form(request)
        fields = await form_fields(request)
        decision, transaction_id = fields.get("decision"), fields.get("transaction", "")
        if decision not in {"approve", "deny"}:
            raise Refused(Reason.NO_DECISION)
        outcome = await flow.decide(
            transaction_id,
            browser.browser_id(request),
            browser.session_id(request),
            csrf_token=fields.get("csrf", ""),
            approve=decision == "approve",
            address=client_address(request.scope),
        )
        match outcome:
            case flows.Redirect(url):
                return browser.redirect(url)
            case flows.NeedsSignIn():
                return browser.to_transaction("login", transaction_id)

    return browser.endpoint(get=get, post=post)


def _page(question: flows.ConsentQuestion, transaction_id: str, browser: Browser) -> pages.ConsentPage:
    return pages.ConsentPage(
        action=browser.path("consent"),
        transaction=transaction_id,
        csrf=question.csrf_token,
        sign_out=browser.path("sign-out"),
        sign_out_csrf=question.sign_out_token,
        client=browser.client_label(question.client_name, question.client_verified),
        user=question.user_email,
        scopes=pages.scope_texts(question.scopes),
        resource=question.resource,
        workspace=question.workspace,
        client_host=question.client_host or "",
        redirect_host=question.redirect_host,
        to_another_site=_leads_elsewhere(question),
        to_this_computer=question.redirect_is_loopback,
        to_an_app=question.redirect_is_private_scheme,
    )


def _leads_elsewhere(question: flows.ConsentQuestion) -> bool:
    """Whether the answer goes to a web site other than the one that vouches for the client."""
    if question.client_host is None or question.redirect_is_loopback or question.redirect_is_private_scheme:
        return False
    return question.redirect_host.lower() != question.client_host
