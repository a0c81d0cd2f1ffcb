"""The rules of the pages people use: cookies, forgery, the address of the answer."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from auth_server.domain.failures import WIRE, Reason, Refused
from auth_server.protocol import parameters
from auth_server.protocol.parameters import Pairs
from auth_server.web import notices, pages, refusals
from auth_server.web.endpoint import Endpoint, Handler
from auth_server.web.pages import ClientLabel, Renderer
from auth_server.web.parameters import bounded_body, media_type, parse_form
from shared_kernel import resource
from shared_kernel.asgi import header_values

_BROWSER, _SESSION = "auth_browser", "auth_session"


class Browser:
    """What a page handler needs to know about the deployment: paths, cookies, and how pages look."""

    def __init__(self, *, issuer: str, render: Renderer) -> None:
        self._origin = resource.origin(issuer)
        self._base = issuer.removeprefix(self._origin)
        self._secure = issuer.startswith("https://")
        self.render = render

    def client_label(self, name: str, verified: bool) -> ClientLabel:
        """A client as people are shown it."""
        return pages.client_label(name, verified=verified, brand=self.render.brand)

    def endpoint(
        self, *, get: Handler | None = None, post: Handler | None = None, head: Handler | None = None
    ) -> Endpoint:
        """An endpoint whose every answer, refusals too, is a page or a redirect."""
        handlers = {"GET": get, "HEAD": head or get, "POST": post}
        given = {method: handler for method, handler in handlers.items() if handler}
        return Endpoint(given, self.refuse, cross_origin=False)

    def refuse(self, _request: Request, refused: Refused) -> Response:
        """A refusal as a page."""
        status = WIRE[refused.reason].status
        # 401 would need a challenge, and there is none that a browser could meet.
        response = self.render(notices.notice(refused), 400 if status == 401 else status)
        response.headers.update(refusals.headers(refused))
        return response

    def to_transaction(self, name: str, transaction_id: str) -> Response:
        """Sends the browser to one of our pages, for that transaction."""
        return self.redirect(f"{self.path(name)}?{urlencode({'transaction': transaction_id})}")

    def to_home(self) -> Response:
        """Sends the browser to the front page."""
        return self.redirect(self.path(""))

    def path(self, name: str) -> str:
        """The path of one of our endpoints, below the issuer's."""
        return f"{self._base}/{name}"

    def browser_id(self, request: Request) -> str | None:
        """The value of the cookie that binds transactions to this browser."""
        return request.cookies.get(self._name(_BROWSER))

    def session_id(self, request: Request) -> str | None:
        """The value of the sign-in cookie."""
        return request.cookies.get(self._name(_SESSION))

    def set_browser_id(self, response: Response, value: str) -> None:
        """Binds this browser until it is closed."""
        self._set(response, _BROWSER, value, None)

    def set_session_id(self, response: Response, value: str, lifetime: int) -> None:
        """Signs this browser in for `lifetime` seconds."""
        self._set(response, _SESSION, value, lifetime)

    def forget_session_id(self, response: Response) -> None:
        """Takes the sign-in cookie away from this browser."""
        self._set(response, _SESSION, "", 0)

    def check_is_our_form(self, request: Request) -> None:
        """Raises Refused (FORGED_FORM) unless the browser vouches that a page of this server sent the form."""
        # Fetch Metadata: a page cannot set this header. Browsers omit it for origins they do not trust, plain http.
        if header_values(request.scope, "sec-fetch-site") == ["same-origin"]:
            return
        if header_values(request.scope, "origin") != [self._origin]:
            raise Refused(Reason.FORGED_FORM)

    def redirect(self, url: str) -> Response:
        """Sends the browser on with a GET, whatever it came with (RFC 9700 §4.12: 303)."""
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
        response = RedirectResponse("/", 303, headers)
        # The client's URL is a Location byte for byte; RedirectResponse would quote it once more.
        response.headers["Location"] = url
        return response

    def _name(self, name: str) -> str:
        # The prefix makes browsers refuse the cookie from plain http or for a parent domain. It needs Secure, which
        # some cookie jars drop over http, so a loopback issuer goes without.
        return f"__Host-{name}" if self._secure else name

    def _set(self, response: Response, name: str, value: str, lifetime: int | None) -> None:
        response.set_cookie(
            self._name(name), value, max_age=lifetime, path="/", secure=self._secure, httponly=True, samesite="lax"
        )


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of one of our forms, each of which stands once. Raises Refused."""
    return parameters.parse(await form_pairs(request)).values


async def form_pairs(request: Request) -> Pairs:
    """The parameters of a form body. Raises Refused."""
    if media_type(request.scope) != "application/x-www-form-urlencoded":
        raise Refused(Reason.FORM_REQUIRED)
    return parse_form(await bounded_body(request.scope, request.receive))
