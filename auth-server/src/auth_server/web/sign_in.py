"""`/login`: the sign-in page."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.consent import Consent
from auth_server.flows.sign_in import SignedIn, SignIn, TooBusy, TooManyAttempts, WrongCredentials
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint, while_connected
from auth_server.web.pages import LoginPage
from shared_kernel.client_address import client_address

_WRONG = "The email or the password is not right."
_BUSY = "Many people are signing in right now. Try again in a few seconds."
_BUSY_SECONDS = 2


def sign_in(flow: SignIn, consent: Consent, browser: Browser, provider: str = "") -> Endpoint:
    """Shows the form and takes it; whom it need not ask about consent goes straight to the client.

    `provider` is the host of another provider at which people can sign in instead.
    """

    async def get(request: Request) -> Response:
        transaction_id = request.query_params.get("transaction", "")
        return await show(request, transaction_id)

    async def show(
        request: Request, transaction_id: str, *, email: str | None = None, error: str = "", status: int = 200
    ) -> Response:
        page = await flow.view(transaction_id, browser.browser_id(request), client_address(request.scope))
        form = LoginPage(
            action=browser.path("login"),
            transaction=transaction_id,
            csrf=page.csrf_token,
            client=browser.client_label(page.client_name, page.client_verified),
            email=page.login_hint if email is None else email,
            error=error,
            provider=provider,
            provider_url=f"{browser.path('login/upstream')}?{urlencode({'transaction': transaction_id})}",
        )
        return browser.render(form, status)

    async def post(request: Request) -> Response:
        browser.check_is_our_form(request)
        fields = await form_fields(request)
        transaction_id, email = fields.get("transaction", ""), fields.get("email", "")
        # Hashing is dear: a browser that has gone gives up its place among those who wait for it.
        outcome = await while_connected(
            request,
            flow.submit(
                transaction_id,
                browser.browser_id(request),
                csrf_token=fields.get("csrf", ""),
                email=email,
                password=fields.get("password", ""),
                address=client_address(request.scope),
                session_id=browser.session_id(request),
            ),
        )
        match outcome:
            case SignedIn() as started:
                return await signed_in(request, transaction_id, started, consent, browser)
            case WrongCredentials():
                return await show(request, transaction_id, email=email, error=_WRONG, status=400)
            case TooManyAttempts(retry_after):
                wait = f"Too many attempts. Wait {_duration(retry_after)}, then try again."
                response = await show(request, transaction_id, email=email, error=wait, status=429)
                response.headers["Retry-After"] = str(retry_after)
                return response
            case TooBusy():
                response = await show(request, transaction_id, email=email, error=_BUSY, status=503)
                response.headers["Retry-After"] = str(_BUSY_SECONDS)
                return response

    return browser.endpoint(get=get, post=post)


async def signed_in(
    request: Request, transaction_id: str, started: SignedIn, consent: Consent, browser: Browser
) -> Response:
    """The browser's way on once its person has signed in: to the client, or to consent."""
    known, address = browser.browser_id(request), client_address(request.scope)
    answer = await consent.automatic(transaction_id, known, started.session_id, address)
    response = browser.redirect(answer.url) if answer else browser.to_transaction("consent", transaction_id)
    browser.set_session_id(response, started.session_id, started.lifetime)
    return response


def _duration(seconds: int) -> str:
    if seconds < 90:
        return f"{max(seconds, 1)} seconds"
    return f"{-(-seconds // 60)} minutes"
