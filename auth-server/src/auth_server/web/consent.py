"""`/consent`: the page on which a person allows or denies."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain import device_codes
from auth_server.domain.failures import Reason, Refused
from auth_server.flows import consent as flows
from auth_server.flows.consent_check import NeedsSignIn
from auth_server.flows.consent_decision import DeviceDecided, Redirect
from auth_server.flows.device_decision import DeviceQuestion
from auth_server.web import notices, pages
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from shared_kernel.client_address import client_address

_CHOOSE = "Choose the workspace first."


def consent(flow: flows.Consent, browser: Browser) -> Endpoint:
    """Shows the question and takes the answer."""

    async def get(request: Request) -> Response:
        return await show(request, request.query_params.get("transaction", ""))

    async def show(request: Request, transaction_id: str, *, error: str = "", status: int = 200) -> Response:
        address = client_address(request.scope)
        match await flow.view(transaction_id, browser.browser_id(request), browser.session_id(request), address):
            case flows.ConsentQuestion() as question:
                return browser.render(_page(question, transaction_id, browser, error), status)
            case flows.CannotAllow() as hindered:
                return browser.render(_cannot_allow_page(hindered, transaction_id, browser), 400)
            case NeedsSignIn():
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
            workspace=fields.get("workspace"),
        )
        match outcome:
            case Redirect(url):
                return browser.redirect(url)
            case DeviceDecided(name, verified, approved):
                label = browser.client_label(name, verified)
                return browser.render(notices.device_decided(label.name, approved=approved))
            case NeedsSignIn():
                return browser.to_transaction("login", transaction_id)
            case flows.Unchosen():
                return await show(request, transaction_id, error=_CHOOSE, status=400)

    return browser.endpoint(get=get, post=post)


def _cannot_allow_page(hindered: flows.CannotAllow, transaction_id: str, browser: Browser) -> pages.CannotAllowPage:
    return pages.CannotAllowPage(
        action=browser.path("consent"),
        transaction=transaction_id,
        csrf=hindered.csrf_token,
        sign_out=browser.path("sign-out"),
        sign_out_csrf=hindered.sign_out_token,
        client=browser.client_label(hindered.client_name, hindered.client_verified),
        user=hindered.user_email,
        is_another_person=hindered.hindrance is flows.Hindrance.ANOTHER_PERSON,
    )


def _page(question: flows.ConsentQuestion, transaction_id: str, browser: Browser, error: str) -> pages.ConsentPage:
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
        workspaces=question.workspaces,
        client_host=question.client_host or "",
        redirect_host=question.redirect_host,
        to_another_site=_leads_elsewhere(question),
        to_this_computer=question.redirect_is_loopback,
        to_an_app=question.redirect_is_private_scheme,
        error=error,
        device=_device(question.device) if question.device else None,
        remembered_days=question.remembered_days,
    )


def _device(device: DeviceQuestion) -> pages.DeviceText:
    minutes = round(device.seconds_ago / 60)
    ago = "just now" if minutes == 0 else "a minute ago" if minutes == 1 else f"{minutes} minutes ago"
    at = datetime.fromtimestamp(device.asked_at, UTC).strftime("%H:%M")
    return pages.DeviceText(device_codes.shown(device.user_code), f"{ago}, at {at} UTC", device.address)


def _leads_elsewhere(question: flows.ConsentQuestion) -> bool:
    """Whether the answer goes to a web site other than the one that vouches for the client."""
    if (
        question.client_host is None
        or question.device
        or question.redirect_is_loopback
        or question.redirect_is_private_scheme
    ):
        return False
    return question.redirect_host.lower() != question.client_host
