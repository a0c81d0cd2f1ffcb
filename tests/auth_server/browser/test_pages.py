"""The pages in a real browser: reachable, readable, usable without mouse or script, and never blocked by themselves."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.auth_server.browser.conftest import CURSOR_URI, WEB_URI
from tests.support.browser import Browser, sign_in
from tests.support.callback import Callback, listening
from tests.support.people import Pkce, authorize_url
from tests.support.services import EMAIL, PASSWORD, AuthServer, Client, run_cli

pytestmark = pytest.mark.slow

SCHEMES = ("light", "dark")
WIDTHS = (1280, 390, 320)
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

# WCAG 2.2: contrast (1.4.3), names of controls (4.1.2), reflow (1.4.10), target size (2.5.8), duplicate ids.
AUDIT = """
() => {
  const problems = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (color) => {
    const [r, g, b] = [...rgba(color)].slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (rgba(color)[3] === 255) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    texts += 1;
    const ratio = contrast(getComputedStyle(element).color, background(element));
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim()}`);
  }
  if (texts < 3) problems.push("hardly any text was measured");
  for (const field of document.querySelectorAll("input:not([type=hidden])")) {
    if (!field.labels.length) problems.push(`no label: ${field.name}`);
    const ratio = contrast(getComputedStyle(field).borderTopColor, background(field.parentElement));
    if (ratio < 3) problems.push(`border ${ratio.toFixed(2)}: ${field.name}`);
  }
  for (const button of document.querySelectorAll("button")) {
    const box = button.getBoundingClientRect();
    if (!button.textContent.trim() || box.height < 44) problems.push(`button: ${button.outerHTML}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) problems.push("an id stands twice");
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const id of (e.getAttribute("aria-describedby") || e.getAttribute("aria-labelledby")).split(" "))
      if (!document.getElementById(id)) problems.push(`points nowhere: ${id}`);
  if (document.documentElement.scrollWidth > innerWidth) problems.push("scrolls sideways");
  if (document.querySelectorAll("h1, main").length !== 2) problems.push("not one heading and one main part");
  if (!document.documentElement.lang || !document.title) problems.push("no language or title");
  return problems;
}
"""


@dataclass(slots=True)
class Watch:
    """What a page says on its console, and which hosts it asks."""

    told: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def over(self, page: Page) -> Page:
        """Watches a page from now on."""
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        return page


def audit(page: Page) -> None:
    """Fails on any problem of accessibility, in every width and both colour schemes."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # a literal, out of a tuple
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(AUDIT) == [], f"{page.title()}, {scheme}, {width}"


@pytest.fixture
def start(auth_server: AuthServer, native_app: Client) -> Any:
    """Makes authorization requests of the client."""

    def url(redirect_uri: str, **changed: str) -> str:
        return authorize_url(
            auth_server.issuer,
            changed.get("client_id", native_app.id),
            redirect_uri,
            Pkce(),
            resource=auth_server.resource,
            scope="schemas:read query offline_access",
        )

    return url


def test_every_page_can_be_read_by_everyone(auth_server: AuthServer, browser: Browser, start: Any) -> None:
    watch = Watch()

    def use(context: BrowserContext) -> None:
        page = watch.over(context.new_page())
        page.goto(start(CURSOR_URI))
        audit(page)
        sign_in(page, EMAIL, "wrong password")
        assert page.get_by_role("alert").inner_text() == "The email or the password is not right."
        audit(page)
        sign_in(page)
        assert (
            page.get_by_role("heading", level=1).inner_text().replace("\n", " ")
            == "Allow Claude Code to use DynamoSQL?"
        )
        audit(page)
        page.goto(start(CURSOR_URI, client_id="nobody"))
        audit(page)
        page.goto(f"{auth_server.issuer}/consent")
        audit(page)
        page.goto(f"{auth_server.issuer}/nothing")
        audit(page)
        page.goto(f"{auth_server.issuer}/")
        audit(page)
        page.get_by_role("button", name="Sign out").click()
        assert (
            page.get_by_role("heading", level=1).inner_text().replace("\n", " ").startswith("This is where you sign in")
        )
        audit(page)

    browser.visit(use)
    assert watch.hosts == {urlsplit(auth_server.issuer).netloc}
    statuses = ("400 (Bad Request)", "404 (Not Found)")
    assert [text for text in watch.told if not any(status in text for status in statuses)] == []


def test_signing_in_and_allowing_needs_no_mouse(browser: Browser, start: Any) -> None:
    with listening() as callback:

        def use(context: BrowserContext) -> None:
            page = context.new_page()
            page.goto(start(callback.redirect_uri))
            assert page.evaluate("document.activeElement.id") == "email"
            page.keyboard.type(EMAIL)
            page.keyboard.press("Tab")
            page.keyboard.type(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url("**/consent?**")
            for name in ("Use another account", "Deny", "Allow"):
                page.keyboard.press("Tab")
                assert page.evaluate("document.activeElement.textContent") == name
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline == "solid"
            page.keyboard.press("Enter")
            page.wait_for_url("**/callback?**")

        browser.visit(use)
        assert callback.next()["code"]


def test_signing_in_and_allowing_needs_no_script(browser: Browser, start: Any) -> None:
    with listening() as callback:

        def use(context: BrowserContext) -> None:
            assert context.browser
            with context.browser.new_context(java_script_enabled=False) as plain:
                page = plain.new_page()
                page.goto(start(callback.redirect_uri))
                sign_in(page)
                page.get_by_role("button", name="Allow", exact=True).click()
                page.wait_for_url("**/callback?**")

        browser.visit(use)
        assert callback.next()["code"]


def test_a_person_of_three_workspaces_chooses_one_without_mouse_or_script(
    auth_server: AuthServer, browser: Browser
) -> None:
    """Nothing is chosen beforehand; the browser itself asks for a choice, unless the person denies."""
    environment, email = auth_server.server.environment, "three@example.com"
    password_file = str(auth_server.directory / "password")
    run_cli(environment, "user", "create", "--email", email, "--password-file", password_file)
    for name, title in {"acme": "Acme, Inc.", "globex": "Globex Corporation of Cypress Creek and Surroundings"}.items():
        run_cli(environment, "workspace", "create", name, "--title", title)
        run_cli(environment, "workspace", "member", "add", name, email)
    watch = Watch()
    with listening() as callback:
        metadata = {"client_name": "Claude Code", "redirect_uris": [callback.redirect_uri]}
        client_id = httpx2.post(f"{auth_server.issuer}/register", json=metadata).json()["client_id"]
        url = authorize_url(
            auth_server.issuer, client_id, callback.redirect_uri, Pkce(), resource=auth_server.resource, scope="query"
        )

        def use(context: BrowserContext) -> None:
            page = watch.over(context.new_page())
            page.goto(url)
            sign_in(page, email)
            audit(page)
            page.get_by_role("button", name="Allow", exact=True).click()
            assert "/consent?" in page.url
            page.get_by_role("radio").first.focus()
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
            assert page.get_by_role("radio", name="Default default").is_checked()
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            page.wait_for_url("**/callback?**")
            page.goto(url)
            page.get_by_role("button", name="Deny").click()
            page.wait_for_url("**/callback?**")
            page.goto(url.replace("/authorize?", "/authorize/nowhere?"))
            audit(page)
            assert "do not belong" in page.get_by_role("heading", level=1).inner_text()
            page.get_by_role("button", name="Back to the app").click()
            page.wait_for_url("**/callback?**")

        browser.visit(use)
        assert callback.next()["code"]
        assert callback.next()["error"] == callback.next()["error"] == "access_denied"


def test_every_page_about_a_device_can_be_read_by_everyone(auth_server: AuthServer, browser: Browser) -> None:
    watch = Watch()
    metadata = {"client_name": "Living room TV", "grant_types": [DEVICE_CODE], "response_types": []}
    client_id = httpx2.post(f"{auth_server.issuer}/register", json=metadata).json()["client_id"]
    asked = {"client_id": client_id, "scope": "schemas:read query offline_access"}
    codes = httpx2.post(f"{auth_server.issuer}/device_authorization", data=asked).json()

    def use(context: BrowserContext) -> None:
        page = watch.over(context.new_page())
        page.goto(f"{auth_server.issuer}/device")
        audit(page)
        page.get_by_label("Code").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        audit(page)
        page.goto(codes["verification_uri_complete"])
        assert page.get_by_label("Code").input_value() == codes["user_code"]
        page.get_by_role("button", name="Continue").click()
        sign_in(page)
        audit(page)
        page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_role("heading", name="Go back to your device").wait_for()
        audit(page)

    browser.visit(use)
    assert [text for text in watch.told if "400 (Bad Request)" not in text] == []
    assert watch.hosts == {urlsplit(auth_server.issuer).netloc}


def decide(context: BrowserContext, watch: Watch, url: str, button: str) -> Page:
    """Signs in and presses a button of the consent page."""
    page = watch.over(context.new_page())
    page.goto(url)
    sign_in(page)
    page.get_by_role("button", name=button, exact=True).click()
    return page


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_b13_b14_a_program_on_this_computer_gets_the_answer(
    auth_server: AuthServer, browser: Browser, start: Any, host: str
) -> None:
    watch = Watch()
    application = auth_server.create_client("--public", "--name", "App", "--redirect-uri", f"http://{host}/callback")
    with listening(host) as callback:
        answers: list[dict[str, str]] = []
        for button in ("Allow", "Deny"):

            def use(context: BrowserContext, button: str = button, callback: Callback = callback) -> None:
                page = decide(context, watch, start(callback.redirect_uri, client_id=application.id), button)
                page.wait_for_url("**/callback?**")

            browser.visit(use)
            answers.append(callback.next())
    allowed, denied = answers
    assert allowed["code"]
    assert denied["error"] == "access_denied"
    assert allowed["iss"] == denied["iss"] == auth_server.issuer
    assert watch.told == []


def test_b13_a_web_site_gets_the_answer(auth_server: AuthServer, browser: Browser, start: Any) -> None:
    watch = Watch()

    def fulfil(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<link rel=icon href=data:,><p>Connected.")

    def use(context: BrowserContext) -> tuple[str, dict[str, str]]:
        context.route("https://client.example.com/**", fulfil)
        page = watch.over(context.new_page())
        page.goto(start(WEB_URI))
        sign_in(page)
        with page.expect_request("https://client.example.com/**") as requested:
            page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_text("Connected.").wait_for()
        return page.url, requested.value.headers

    url, headers = browser.visit(use)
    assert url.startswith(f"{WEB_URI}?")
    assert parse_qs(urlsplit(url).query)["iss"] == [auth_server.issuer]
    assert "referer" not in headers
    assert watch.told == []


def test_a_person_disconnects_an_app_on_the_front_page(auth_server: AuthServer, browser: Browser, start: Any) -> None:
    watch = Watch()
    application = auth_server.create_client("--public", "--name", "Leaving", "--redirect-uri", WEB_URI)

    def fulfil(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<link rel=icon href=data:,><p>Connected.")

    def use(context: BrowserContext) -> None:
        context.route("https://client.example.com/**", fulfil)
        page = watch.over(context.new_page())
        page.goto(start(WEB_URI, client_id=application.id))
        sign_in(page)
        page.get_by_role("button", name="Allow", exact=True).click()
        page.get_by_text("Connected.").wait_for()
        page.goto(f"{auth_server.issuer}/")
        audit(page)
        button = page.get_by_role("button", name="Disconnect Leaving", exact=True)
        button.click()
        page.get_by_role("heading", name="You are signed in").wait_for()
        button.wait_for(state="detached")

    browser.visit(use)
    assert watch.told == []


def test_b13_an_app_with_a_scheme_of_its_own_is_called(browser: Browser, start: Any) -> None:
    watch, called = Watch(), []

    def use(context: BrowserContext) -> None:
        page = watch.over(context.new_page())
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda event: called.append(event["request"]["url"]))
        page.goto(start(CURSOR_URI))
        sign_in(page)
        with page.expect_response("**/consent") as answered:
            page.get_by_role("button", name="Allow", exact=True).click()
        assert answered.value.status == 303
        assert answered.value.headers["location"].startswith(f"{CURSOR_URI}?code=ac_")
        page.goto("about:blank")

    browser.visit(use)
    assert [url for url in called if url.startswith(f"{CURSOR_URI}?code=ac_")]
    assert [text for text in watch.told if "Content Security Policy" in text] == []


def test_b06_b17_going_back_and_deciding_again_gives_nothing(browser: Browser, start: Any) -> None:
    with listening() as callback:

        def use(context: BrowserContext) -> str:
            page = decide(context, Watch(), start(callback.redirect_uri), "Allow")
            page.wait_for_url("**/callback?**")
            page.go_back()
            return page.get_by_role("heading", level=1).inner_text()

        assert browser.visit(use) == "This is already settled"
        assert callback.next()["code"]
        assert callback.received.empty()


def test_whoever_the_client_does_not_expect_uses_another_account(auth_server: AuthServer, browser: Browser) -> None:
    environment, other, pkce = auth_server.server.environment, "other@example.com", Pkce()
    run_cli(environment, "user", "create", "--email", other, "--password-file", str(auth_server.directory / "password"))
    watch = Watch()
    with listening() as callback:
        metadata = {"client_name": "Claude Code", "redirect_uris": [callback.redirect_uri]}
        client_id = httpx2.post(f"{auth_server.issuer}/register", json=metadata).json()["client_id"]
        url = authorize_url(
            auth_server.issuer, client_id, callback.redirect_uri, pkce, resource=auth_server.resource, scope="openid"
        )

        def allow(context: BrowserContext) -> None:
            page = context.new_page()
            page.goto(url)
            sign_in(page)
            page.get_by_role("button", name="Allow", exact=True).click()
            page.wait_for_url("**/callback?**")

        browser.visit(allow)
        form = {"grant_type": "authorization_code", "client_id": client_id, "code": callback.next()["code"]}
        form |= {"redirect_uri": callback.redirect_uri, "code_verifier": pkce.verifier}
        hint = httpx2.post(f"{auth_server.issuer}/token", data=form).json()["id_token"]

        def use(context: BrowserContext) -> None:
            page = watch.over(context.new_page())
            page.goto(f"{url}&id_token_hint={hint}")
            sign_in(page, other)
            audit(page)
            assert page.get_by_role("heading", level=1).inner_text() == "Claude Code expects another account"
            page.get_by_role("button", name="Use another account").click()
            sign_in(page)
            page.get_by_role("button", name="Allow", exact=True).click()
            page.wait_for_url("**/callback?**")

        browser.visit(use)
        assert callback.next()["code"]
    assert watch.hosts == {urlsplit(url).netloc, urlsplit(callback.redirect_uri).netloc}
