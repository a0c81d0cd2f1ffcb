"""The pages people see, rendered on the server: no script, no third-party content, nothing fetched after the page."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from auth_server.domain.client_name import UNNAMED, imitates, mixes_alphabets, safe_name
from auth_server.domain.workspace import Workspace
from shared_kernel import scope as scopes
from shared_kernel.logs import REQUEST_ID

_TEMPLATES = (
    "base.html",
    "icons.html",
    "login.html",
    "device.html",
    "consent.html",
    "cannot_allow.html",
    "home.html",
    "notice.html",
)


@dataclass(frozen=True, slots=True)
class ClientLabel:
    """A client's name, safe to show, and what people must know about it; `warning` may be empty."""

    name: str
    verified: bool
    warning: str


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The sign-in form. `action` is where it posts to; `error` explains why it is shown again, empty at first.

    `provider` is the host at which people can sign in instead, by way of `provider_url`; empty if there is none.
    """

    action: str
    transaction: str
    csrf: str
    client: ClientLabel
    email: str = ""
    error: str = ""
    provider: str = ""
    provider_url: str = ""


@dataclass(frozen=True, slots=True)
class ScopeText:
    """One permission in words."""

    name: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class DevicePage:
    """The form for a user code, prefilled if a link carried one; `error` explains why it is shown again."""

    action: str
    csrf: str
    user_code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class DeviceText:
    """What is known of a device that waits: the code it shows, when it asked, from which network address."""

    user_code: str
    asked: str
    address: str


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """The question whether a client may act for the person; every text is already fit to be shown.

    `sign_out` is where the form "use another account" posts to. `client_host` is the host that vouches for the client,
    empty if none does. `redirect_host` is where the answer goes: a site, a program on this computer, or an app that
    claimed a scheme; `to_another_site` says that it is not the client's own. Where a `device` waits, there is no such
    host. Of several `workspaces` the person chooses one; `error` explains why the page is shown again, empty at first.
    `remembered_days` as in ConsentQuestion.
    """

    action: str
    transaction: str
    csrf: str
    sign_out: str
    sign_out_csrf: str
    client: ClientLabel
    user: str
    scopes: tuple[ScopeText, ...]
    resource: str
    workspaces: tuple[Workspace, ...]
    client_host: str
    redirect_host: str
    to_another_site: bool
    to_this_computer: bool
    to_an_app: bool
    error: str = ""
    device: DeviceText | None = None
    remembered_days: int = 0


@dataclass(frozen=True, slots=True)
class CannotAllowPage:
    """Says why the person can allow nothing, and lets them deny, or be somebody else.

    Either the client expects another person, or they belong to no workspace that the request may be for.
    """

    action: str
    transaction: str
    csrf: str
    sign_out: str
    sign_out_csrf: str
    client: ClientLabel
    user: str
    is_another_person: bool


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A client that the person has allowed something, last on the day `since`."""

    client: ClientLabel
    client_id: str
    since: str
    csrf: str


@dataclass(frozen=True, slots=True)
class HomePage:
    """The front page; `user` is who is signed in, if anybody is, and `apps` what they have connected.

    `sign_out` and `disconnect` are where the forms that end these post to.
    """

    sign_out: str = ""
    user: str = ""
    csrf: str = ""
    disconnect: str = ""
    apps: tuple[ConnectedApp, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One remedy: for whom, and what to do."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A page that only tells something."""

    title: str
    paragraphs: tuple[str, ...]
    steps_title: str = ""
    steps: tuple[Step, ...] = ()


Page = LoginPage | DevicePage | ConsentPage | CannotAllowPage | HomePage | Notice
_TEMPLATE_OF: Mapping[type[Page], str] = {
    LoginPage: "login.html",
    DevicePage: "device.html",
    ConsentPage: "consent.html",
    CannotAllowPage: "cannot_allow.html",
    HomePage: "home.html",
    Notice: "notice.html",
}

_SCOPE_TEXTS = {
    scopes.SCHEMAS_READ: ScopeText(
        scopes.SCHEMAS_READ, "See your schemas and tables", "Names, columns and indexes; no rows."
    ),
    scopes.QUERY: ScopeText(
        scopes.QUERY, "Run read-only SQL queries", "Reads rows of your tables. Nothing can be changed or deleted."
    ),
    scopes.OFFLINE_ACCESS: ScopeText(
        scopes.OFFLINE_ACCESS, "Stay connected", "Keeps this access for up to 90 days without asking again."
    ),
}


def client_label(name: str, *, verified: bool, brand: str) -> ClientLabel:
    """A client as people are shown it. The operator vouches for a verified client's name."""
    safe = safe_name(name) or UNNAMED  # a name that was stored under an earlier rule is made safe now
    warning = ""
    if not verified and imitates(safe, brand):
        warning = f"This app is not {brand}. It only uses the name."
    elif not verified and mixes_alphabets(safe):
        warning = "This name mixes letters of several alphabets. It may imitate another app."
    return ClientLabel(safe, verified, warning)


def scope_texts(wanted: Iterable[str]) -> tuple[ScopeText, ...]:
    """The permissions in words, in their fixed order; one that has no words of its own is shown by its name.

    What tells who the person is becomes one permission: some clients ask for everything that a server knows.
    """
    names = scopes.join(wanted).split()
    identity = frozenset(names).intersection(scopes.IDENTITY_SCOPES)
    texts = [_SCOPE_TEXTS.get(item, ScopeText(item, item, "")) for item in names if item not in identity]
    return (*texts, _identity_text(identity)) if identity else (*texts,)


def _identity_text(asked: frozenset[str]) -> ScopeText:
    told = "Your email address, and an id" if scopes.EMAIL in asked else "Not your email address, only an id"
    return ScopeText(scopes.OPENID, "Know who you are", f"{told} that stays the same.")


class Renderer:
    """Turns a page into a response with the headers that every page carries."""

    def __init__(self, *, brand: str, issuer: str) -> None:
        self.brand = brand
        self._of_service = {"brand": brand, "issuer_host": urlsplit(issuer).netloc}
        self._headers = _page_headers(_file("style.css"))

    def __call__(self, page: Page, status: int = 200) -> HTMLResponse:
        """The page as a response. At its foot stands the id of the request, which an operator can look up."""
        template = _environment().get_template(_TEMPLATE_OF[type(page)])
        return HTMLResponse(
            template.render(self._of_service, page=page, reference=REQUEST_ID.get()), status, headers=self._headers
        )


@cache
def _environment() -> Environment:
    """The templates, each compiled when it is first needed, and the stylesheet."""
    environment = Environment(
        loader=DictLoader({name: _file(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["stylesheet"] = Markup(_file("style.css"))  # noqa: S704 (our own file)
    return environment


def _file(name: str) -> str:
    return (resources.files("auth_server.web") / "templates" / name).read_text("utf-8")


def _page_headers(stylesheet: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(stylesheet.encode()).digest()).decode()
    # No form-action: Chromium applies it to the whole chain of redirects, and the consent form's answer leads to the
    # client. Nothing can be injected that it would stop, since the pages carry no foreign markup.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        # Not no-referrer: under it Chromium sends `Origin: null` with the form.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
