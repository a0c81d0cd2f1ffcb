"""The distribution's Chromium, driven by Playwright from a thread of its own, so that any test can use it."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.support.services import EMAIL, PASSWORD

_Result = TypeVar("_Result")

# Root, as in a container, cannot use the sandbox; the rest keeps the browser from talking to anybody but us.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PAGE_MILLISECONDS = 60_000


class Browser:
    """A running Chromium; every visit has cookies of its own."""

    def __init__(self, thread: ThreadPoolExecutor, chromium: Chromium) -> None:
        self._thread, self._chromium = thread, chromium

    def visit(self, use: Callable[[BrowserContext], _Result]) -> _Result:
        """What `use` gives for a fresh context; it runs in the browser's thread."""

        def visiting() -> _Result:
            with self._chromium.new_context() as context:
                context.set_default_timeout(_PAGE_MILLISECONDS)
                return use(context)

        return self._thread.submit(visiting).result()

    def allow(self, authorize_url: str, *, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Opens an authorization request, signs in, allows it, and follows the redirect to the client."""

        def use(context: BrowserContext) -> None:
            page = context.new_page()
            page.goto(authorize_url)
            sign_in(page, email, password)
            with page.expect_navigation(url="**/callback?**"):
                page.get_by_role("button", name="Allow", exact=True).click()

        self.visit(use)

    def allow_device(self, complete_url: str) -> None:
        """Opens the link that carries a device's code, signs in, and allows the device."""

        def use(context: BrowserContext) -> None:
            page = context.new_page()
            page.goto(complete_url)
            page.get_by_role("button", name="Continue").click()
            sign_in(page)
            page.get_by_role("button", name="Allow", exact=True).click()
            page.get_by_role("heading", name="Go back to your device").wait_for()

        self.visit(use)


def sign_in(page: Page, email: str = EMAIL, password: str = PASSWORD) -> None:
    """Fills in and sends the sign-in form, once the browser has put the cursor where a person would begin."""
    page.locator("input[autofocus]:focus").wait_for()  # it complains on the console if it comes to that too late
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "no Chromium found; on Debian or Ubuntu, as root: apt-get install -y chromium"
    with ThreadPoolExecutor(1, "browser") as thread:
        playwright = thread.submit(sync_playwright().start).result()
        try:
            chromium = thread.submit(
                playwright.chromium.launch, executable_path=executable, headless=True, args=_FLAGS
            ).result()
            try:
                yield Browser(thread, chromium)
            finally:
                thread.submit(chromium.close).result()
        finally:
            thread.submit(playwright.stop).result()
