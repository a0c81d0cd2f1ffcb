"""The server's front page, and the form there that disconnects a client."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.connections import Connection, Connections
from auth_server.flows.sign_out import SignOut
from auth_server.web.browser import Browser, form_fields
from auth_server.web.endpoint import Endpoint
from auth_server.web.pages import ConnectedApp, HomePage
from shared_kernel.client_address import client_address


def home(accounts: SignOut, connections: Connections, browser: Browser) -> Endpoint:
    """Shows what this server is, who is signed in, and which clients they have connected."""

    async def get(request: Request) -> Response:
        session_id = browser.session_id(request)
        account = await accounts.account(session_id)
        if account is None:
            return browser.render(HomePage())
        page = HomePage(
            sign_out=browser.path("sign-out"),
            user=account.email,
            csrf=account.csrf_token,
            disconnect=browser.path("disconnect"),
            apps=tuple(_app(connection, browser) for connection in await connections.of(session_id)),
        )
        return browser.render(page)

    return browser.endpoint(get=get)


def disconnect(connections: Connections, browser: Browser) -> Endpoint:
    """Ends what the person has allowed a client."""

    async def post(request: Request) -> Response:
        browser.check_is_our_form(request)
        fields = await form_fields(request)
        await connections.end(
            browser.session_id(request),
            fields.get("client", ""),
            csrf_token=fields.get("csrf", ""),
            address=client_address(request.scope),
        )
        return browser.to_home()

    return browser.endpoint(post=post)


def _app(connection: Connection, browser: Browser) -> ConnectedApp:
    client = connection.client
    since = datetime.fromtimestamp(connection.since, UTC).date().isoformat()
    label = browser.client_label(client.name, client.is_verified)
    return ConnectedApp(label, client.client_id, since, connection.csrf_token)
