"""`/sign-out`, and "use another account"."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.sign_out import SignOut
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from shared_kernel.client_address import client_address


def sign_out(flow: SignOut, browser: Browser) -> Endpoint:
    """Ends the session; a form that names a transaction goes on with it as somebody else."""

    async def post(request: Request) -> Response:
        browser.check_is_our_form(request)
        fields = await form_fields(request)
        await flow.end(
            browser.session_id(request), csrf_token=fields.get("csrf", ""), address=client_address(request.scope)
        )
        transaction_id = fields.get("transaction")
        response = browser.to_transaction("login", transaction_id) if transaction_id else browser.to_home()
        browser.forget_session_id(response)
        return response

    return browser.endpoint(post=post)
