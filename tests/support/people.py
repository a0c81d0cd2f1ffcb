"""A person at a browser without JavaScript, over plain HTTP: follows links, fills in forms, keeps cookies."""

import base64
import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin

import httpx2

from shared_kernel.entropy import SystemEntropy
from tests.support.callback import parameters
from tests.support.services import EMAIL, PASSWORD


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes and its prefilled fields."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "input" and self.forms and "name" in attributes:
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")


def main_form(page: httpx2.Response) -> Form:
    """The form that a page is about; on any page there may be another one, to sign out."""
    (form,) = [form for form in _forms(page) if not form.action.endswith("/sign-out")]
    return form


def sign_out_form(page: httpx2.Response) -> Form:
    """The form that signs out."""
    (form,) = [form for form in _forms(page) if form.action.endswith("/sign-out")]
    return form


def _forms(page: httpx2.Response) -> list[Form]:
    assert page.status_code in {200, 400}, f"{page.status_code}: {page.text}"  # a page may say no, and offer a way on
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


def submit(browser: httpx2.Client, page: httpx2.Response, **entered: str) -> httpx2.Response:
    """Sends the page's form with what was entered, as a browser of today would, and does not follow the redirect."""
    form = main_form(page)
    url = str(page.url)
    headers = {"Origin": str(page.url.copy_with(raw_path=b"/")).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    return browser.post(urljoin(url, form.action), data=form.fields | entered, headers=headers)


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier and its S256 challenge (RFC 7636 §4.1, §4.2)."""

    verifier: str = field(default_factory=lambda: SystemEntropy().token(256))

    @property
    def challenge(self) -> str:
        """The challenge sent ahead."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")


def authorize_url(
    issuer: str, client_id: str, redirect_uri: str, pkce: Pkce, *, resource: str, scope: str, state: str = "st-1"
) -> str:
    """The URL of an authorization request."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "resource": resource,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    }
    return f"{issuer}/authorize?{urlencode(query)}"


def allow(
    url: str,
    *,
    email: str = EMAIL,
    password: str = PASSWORD,
    workspace: str | None = None,
    cookies: CookieJar | None = None,
) -> dict[str, str]:
    """Signs in and allows an authorization request, in that workspace where there are several.

    Gives the parameters of the redirect to the client.
    """
    with httpx2.Client(timeout=30, cookies=cookies) as browser:
        page = browser.get(url)
        while page.is_redirect:
            page = browser.get(urljoin(str(page.url), page.headers["location"]))
        answer = submit(browser, page, email=email, password=password)
        assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
        page = browser.get(urljoin(str(answer.url), answer.headers["location"]))
        chosen = {"workspace": workspace} if workspace is not None else {}
        answer = submit(browser, page, decision="approve", **chosen)
        assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
        return parameters(answer.headers["location"])
