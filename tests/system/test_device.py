"""A device without a browser: a script that shows a code, a person with Chromium as their phone, and mcp-server."""

import httpx2
import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser import Browser, sign_in
from tests.support.leaks import leaks
from tests.support.mcp_wire import Wire
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def test_a_person_allows_a_device_on_their_phone_and_the_device_runs_a_query(
    auth_server: AuthServer, mcp_server: McpServer, browser: Browser
) -> None:
    with httpx2.Client(timeout=60) as device:
        metadata = device.get(f"{auth_server.issuer}/.well-known/oauth-authorization-server").json()
        registration = {"client_name": "Kiosk", "grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []}
        client_id = device.post(metadata["registration_endpoint"], json=registration).json()["client_id"]
        asked = {"client_id": client_id, "scope": "query", "resource": mcp_server.resource}
        codes = device.post(metadata["device_authorization_endpoint"], data=asked).json()
        form = {"grant_type": DEVICE_CODE, "client_id": client_id, "device_code": codes["device_code"]}
        waiting = device.post(metadata["token_endpoint"], data=form)
        assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")

        def use(context: BrowserContext) -> None:
            page = context.new_page()
            page.set_viewport_size({"width": 390, "height": 844})
            page.goto(codes["verification_uri"])
            page.get_by_label("Code").fill(codes["user_code"].lower().replace("-", " "))
            page.get_by_role("button", name="Continue").click()
            sign_in(page)
            assert page.get_by_text(codes["user_code"], exact=True).is_visible()
            page.get_by_role("button", name="Allow", exact=True).click()
            page.get_by_role("heading", name="Go back to your device").wait_for()

        browser.visit(use)
        answer = device.post(metadata["token_endpoint"], data=form)
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert device.post(metadata["token_endpoint"], data=form).json()["access_token"] == tokens["access_token"]
    assert Wire(mcp_server.resource, tokens["access_token"]).rows("select count(*) as n from nation") == [[25]]
    secrets = [codes["device_code"], tokens["access_token"], tokens["refresh_token"]]
    assert leaks(secrets, [auth_server.log, mcp_server.log]) == []
