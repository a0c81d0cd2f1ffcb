"""`/device`: the page on which a person enters the code that their device shows."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain import device_codes
from auth_server.flows.authorize import Continue
from auth_server.flows.device import Device, TooManyCodes, UnknownCode
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from auth_server.web.pages import DevicePage
from shared_kernel.client_address import client_address

_UNKNOWN = (
    "No device is waiting with this code. Compare it with the one on your device; after ten minutes it shows a new one."
)

_LONGEST_SHOWN = 16
"""Of what was typed and is no code, what the form shows again."""


def device(flow: Device, browser: Browser) -> Endpoint:
    """Shows the form and takes it."""

    async def get(request: Request) -> Response:
        # RFC 8628 §3.3.1: a link may carry the code, which the person confirms here, and compares next.
        return show(request, request.query_params.get("user_code", ""))

    def show(request: Request, text: str, error: str = "", status: int = 200) -> Response:
        known = browser.browser_id(request)
        form = flow.form(known)
        code = device_codes.entered(text)
        page = DevicePage(
            action=browser.path("device"),
            csrf=form.csrf_token,
            user_code=device_codes.shown(code) if code else text[:_LONGEST_SHOWN],
            error=error,
        )
        response = browser.render(page, status)
        if form.browser_id != known:
            browser.set_browser_id(response, form.browser_id)
        return response

    async def post(request: Request) -> Response:
        browser.check_is_our_form(request)
        fields = await form_fields(request)
        text = fields.get("user_code", "")
        outcome = await flow.enter(
            text,
            csrf_token=fields.get("csrf", ""),
            browser_id=browser.browser_id(request),
            session_id=browser.session_id(request),
            address=client_address(request.scope),
        )
        match outcome:
            case Continue(transaction_id, _, needs_sign_in):
                return browser.to_transaction("login" if needs_sign_in else "consent", transaction_id)
            case UnknownCode():
                return show(request, text, _UNKNOWN, 400)
            case TooManyCodes(retry_after):
                wait = f"Too many codes were entered. Wait {retry_after} seconds, then try again."
                response = show(request, text, wait, 429)
                response.headers["Retry-After"] = str(retry_after)
                return response

    return browser.endpoint(get=get, post=post)
