"""The MCP Inspector (npm, @modelcontextprotocol/inspector-client) in its direct mode: a client that is a web page.

Its page calls /mcp itself, across origins, signs its person in by a redirect, and comes back.
"""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser import Browser, sign_in
from tests.support.processes import REPOSITORY
from tests.support.services import McpServer

pytestmark = pytest.mark.slow

PAGES = REPOSITORY / "tests/judges/node_modules/@modelcontextprotocol/inspector-client/dist"


class Pages(http.server.SimpleHTTPRequestHandler):
    """The Inspector's files; any other path is its start page, which routes by itself."""

    def send_head(self) -> object:  # type: ignore[override]
        """Answers with a file."""
        if not Path(self.translate_path(self.path)).is_file():
            self.path = "/index.html"
        return super().send_head()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def inspector() -> Iterator[str]:
    """The Inspector's origin."""
    handler = functools.partial(Pages, directory=str(PAGES))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            serving.join(60)


def test_the_inspector_signs_in_and_calls_a_tool_from_its_own_page(mcp_server: McpServer, browser: Browser) -> None:
    def use(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(f"{origin}/?transport=streamable-http&serverUrl={mcp_server.resource}")
        page.get_by_label("Connection Type").click()
        page.get_by_role("option", name="Direct").click()
        page.get_by_role("button", name="Connect").click()
        page.wait_for_url("**/login**")
        sign_in(page)
        page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_text("Connected", exact=True).wait_for()
        page.get_by_role("tab", name="Tools").click()
        page.get_by_role("button", name="List Tools").click()
        page.get_by_text("List schemas", exact=True).click()
        page.get_by_role("button", name="Run Tool").click()
        page.get_by_text("Valid according to output schema").wait_for()

    with inspector() as origin:
        browser.visit(use)
