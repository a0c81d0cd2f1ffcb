"""HTTP exchanges that are printed as they happen, with every secret cut short."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx2

_SHOWN_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "accept",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "origin",
    "cookie",
)
_SHOWN_REPLY_HEADERS = ("content-type", "location", "www-authenticate", "cache-control", "set-cookie")
_SECRET_MEMBERS = frozenset({"access_token", "refresh_token", "client_secret"})
_SECRET_PARAMETERS = re.compile(
    r"(?P<name>\b(?:token|refresh_token|code|code_verifier|password|csrf|transaction)=)(?P<value>[^&\s]+)"
)
_BODY_LIMIT = 1500


class Unexpected(Exception):
    """A reply is not what the protocol promises. The text says what was expected."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a page: where it posts to, and its hidden fields."""

    action: str
    fields: Mapping[str, str]


class Conversation:
    """An HTTP client with a cookie jar, like a browser's, that prints what it sends and gets."""

    def __init__(self) -> None:
        # Replies are never followed blindly: each redirect is an exchange of its own.
        self._client = httpx2.Client(follow_redirects=False, trust_env=False, timeout=60)

    def get(self, url: str, *, expect: int = 200, **headers: str) -> httpx2.Response:
        """A GET. Raises Unexpected for another status."""
        return self._exchange(self._client.build_request("GET", url, headers=_headers(headers)), expect)

    def page(self, url: str) -> httpx2.Response:
        """The page a browser ends at, each redirect an exchange of its own. Raises Unexpected if it is none."""
        for _ in range(3):
            reply = self._send(self._client.build_request("GET", url, headers={"accept": "text/html"}))
            if not reply.has_redirect_location:
                _require_status(reply, 200)
                return reply
            url = str(reply.url.join(reply.headers["location"]))
        raise Unexpected("the redirects should come to an end")

    def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        expect: int = 200,
        basic: tuple[str, str] | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """A POST of form fields, with HTTP Basic credentials if given. Raises Unexpected for another status."""
        if basic is not None:
            headers["authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        headers["content-type"] = "application/x-www-form-urlencoded"
        request = self._client.build_request("POST", url, content=urlencode(fields), headers=_headers(headers))
        return self._exchange(request, expect)

    def post_json(self, url: str, document: Any, *, expect: int = 200, **headers: str) -> httpx2.Response:
        """A POST of a JSON document. Raises Unexpected for another status."""
        headers["content-type"] = "application/json"
        request = self._client.build_request("POST", url, content=json.dumps(document), headers=_headers(headers))
        return self._exchange(request, expect)

    def _exchange(self, request: httpx2.Request, expect: int) -> httpx2.Response:
        reply = self._send(request)
        _require_status(reply, expect)
        return reply

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        print(f"> {request.method} {mask(str(request.url))}")
        _print_headers(">", request.headers, _SHOWN_REQUEST_HEADERS)
        _print_body(">", request.content.decode(), request.headers.get("content-type", ""))
        reply = self._client.send(request)
        print(f"< {reply.status_code} {reply.reason_phrase}")
        _print_headers("<", reply.headers, _SHOWN_REPLY_HEADERS)
        _print_body("<", reply.text, reply.headers.get("content-type", ""))
        print(flush=True)
        return reply


def _require_status(reply: httpx2.Response, expected: int) -> None:
    if reply.status_code != expected:
        asked = f"{reply.request.method} {reply.request.url.path}"
        raise Unexpected(f"{asked} answered {reply.status_code} instead of {expected}")


def form_of(page: httpx2.Response) -> Form:
    """The last form of an HTML page: what the page is about. Raises Unexpected if there is none."""
    reader = _FormReader()
    reader.feed(page.text)
    if reader.action is None:
        raise Unexpected("the page should have a form")
    return Form(urljoin(str(page.url), reader.action), reader.fields)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, not verified: to look at only. Raises Unexpected if it is not a JWT."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError) as error:
        raise Unexpected("the access token should be a JWT") from error
    return dict(claims)


def mask(text: str) -> str:
    """The text with the values of secret form and query parameters cut to their first characters."""
    return _SECRET_PARAMETERS.sub(lambda found: found["name"] + _short(found["value"]), text)


def _short(secret: str) -> str:
    return f"{secret[:6]}…" if len(secret) > 12 else "…"


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _print_headers(mark: str, headers: httpx2.Headers, shown: tuple[str, ...]) -> None:
    for name, value in headers.multi_items():
        if name.lower() in shown:
            print(f"{mark}   {name.title()}: {_mask_header(name.lower(), value)}")


def _mask_header(name: str, value: str) -> str:
    if name == "authorization":
        scheme, _, credentials = value.partition(" ")
        return f"{scheme} {_short(credentials)}"
    if name in {"cookie", "set-cookie"}:
        return re.sub(r"^([^=;]+)=[^;]*", r"\1=…", value) if name == "set-cookie" else re.sub(r"=[^;]*", "=…", value)
    return mask(value)


def _print_body(mark: str, text: str, content_type: str) -> None:
    if not text:
        return
    if content_type.startswith("text/html"):
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        print(f"{mark} (a page: {title[1].strip() if title else 'without title'})")
        return
    if content_type.startswith("application/json"):
        text = json.dumps(_masked(json.loads(text)), indent=2, ensure_ascii=False)
    else:
        text = mask(text)
    shown = text if len(text) <= _BODY_LIMIT else f"{text[:_BODY_LIMIT]}\n({len(text)} characters in all)"
    for line in shown.splitlines():
        print(f"{mark} {line}")


def _masked(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            name: _short(value) if name in _SECRET_MEMBERS and isinstance(value, str) else _masked(value)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [_masked(item) for item in document]
    return document


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.action, self.fields = attributes.get("action") or "", {}
        elif tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes.get("name") or ""] = attributes.get("value") or ""
