"""What people are told when there is nothing to fill in: each names the cause and the way out."""

from collections.abc import Mapping

from auth_server.domain.failures import Reason, Refused
from auth_server.web.pages import Notice, Step

_START_AGAIN = "Go back to your app and connect again."
_RESET = (
    Step("Claude Code", "Type /mcp, choose this server, clear its authentication, and connect again."),
    Step("Codex", "Run codex mcp logout with the server's name, then codex mcp login."),
    Step("Cursor, VS Code", "Remove the MCP server from the settings, add it again, and connect."),
    Step("Any other app", "Remove the connection to this server there, then add it again."),
)


# What the client is told in the redirect, once somebody has allowed it something.
_OF_THE_APP = frozenset(
    {
        Reason.UNSUPPORTED_RESPONSE_TYPE,
        Reason.UNSUPPORTED_RESPONSE_MODE,
        Reason.PKCE_REQUIRED,
        Reason.MALFORMED_PROMPT,
        Reason.REQUEST_OBJECT_NOT_SUPPORTED,
        Reason.REQUEST_URI_NOT_SUPPORTED,
        Reason.PUSHED_REQUEST_REQUIRED,
        Reason.LOGIN_REQUIRED,
        Reason.CONSENT_REQUIRED,
        Reason.SCOPE_NOT_ALLOWED,
        Reason.UNKNOWN_RESOURCE,
    }
)
_OF_THE_DOCUMENT = {
    Reason.CLIENT_DOCUMENT_URL: "The app calls itself by a web address that no document about it can have.",
    Reason.CLIENT_DOCUMENT_NOT_ALLOWED: "The app is published by a site that this server does not accept apps from.",
    Reason.CLIENT_DOCUMENT_REFUSED: "The document that says who the app is cannot be had.",
    Reason.CLIENT_DOCUMENT_INVALID: "The document that says who the app is is not in order.",
}
_NOTICES: Mapping[Reason, Notice] = {
    Reason.UNKNOWN_CLIENT: Notice(
        "This app is not registered here",
        ("It introduced itself with an id that this server does not know, perhaps one that has expired.",),
        "Let the app register again",
        _RESET,
    ),
    Reason.REDIRECT_URI_NOT_ALLOWED: Notice(
        "The return address does not match",
        (
            "The app asked to be answered at an address that is not registered for it. "
            "Nothing was sent there, and nothing was shared.",
        ),
        "Let the app register again",
        _RESET,
    ),
    Reason.UNKNOWN_REQUEST_URI: Notice(
        "This link has expired",
        ("The app's link to this page is good for one minute.", _START_AGAIN),
    ),
    Reason.USED_REQUEST_URI: Notice(
        "This link has been used",
        (
            "It opens one time, in one browser. If that was this browser, a moment ago, load the page again.",
            _START_AGAIN,
        ),
    ),
    Reason.UNKNOWN_TRANSACTION: Notice(
        "This page has expired",
        (
            "A connection must be completed within ten minutes, in the browser in which it began.",
            _START_AGAIN,
        ),
    ),
    Reason.DECIDED_TRANSACTION: Notice(
        "This is already settled",
        ("Your answer has been sent to the app. You can close this page and go back to it.",),
    ),
    Reason.FORGED_FORM: Notice(
        "This form was not accepted",
        ("It did not come from this server's own page, or your browser hides where it came from.", _START_AGAIN),
    ),
    Reason.UPSTREAM_REFUSED: Notice(
        "You are not signed in",
        ("The other site did not vouch for somebody who is known here.", _START_AGAIN),
    ),
    Reason.UPSTREAM_UNAVAILABLE: Notice(
        "Just a moment",
        ("The site at which you sign in does not answer right now. Load the page again in half a minute.",),
    ),
    Reason.NOT_FOUND: Notice(
        "There is no page here", ("Check the address, or go back to your app and connect again.",)
    ),
    Reason.METHOD_NOT_ALLOWED: Notice("This page cannot be opened like this", (_START_AGAIN,)),
    Reason.BODY_TOO_LONG: Notice("That was too much", ("The form was longer than this server accepts.",)),
    Reason.TOO_MANY_REQUESTS: Notice(
        "One moment, please",
        ("There have been many requests like this. Wait a minute, then load the page again.",),
    ),
    Reason.STORE_UNAVAILABLE: Notice(
        "Just a moment",
        ("This server cannot answer right now, and nothing was lost. Load the page again shortly.",),
    ),
    Reason.CLIENT_DOCUMENT_UNAVAILABLE: Notice(
        "Just a moment",
        ("The site that says who this app is does not answer right now. Load the page again in half a minute.",),
    ),
    Reason.CRASHED: Notice(
        "Something went wrong here",
        ("It is not your doing. Try again; if it stays, report the reference below.",),
    ),
}
_OTHER = Notice(
    "This request cannot be served",
    ("The link that brought you here is incomplete or damaged. " + _START_AGAIN,),
)


def device_decided(client: str, *, approved: bool) -> Notice:
    """What people are told once they have decided about a device."""
    if approved:
        return Notice(
            "Go back to your device",
            (f"{client} is connected, and goes on there within a few seconds. You can close this page.",),
        )
    return Notice(
        "Nothing was connected",
        (f"You denied {client}, and the device learns nothing of you. You can close this page.",),
    )


def notice(refused: Refused) -> Notice:
    """What people are told about a refusal."""
    if refused.reason in _OF_THE_APP:
        return Notice(
            "The app asked for what cannot be given",
            (
                f"{refused.wire.description} Nothing was sent to the app, because nobody here has allowed it anything "
                "yet.",
                "Whoever makes the app can mend this. If you have just started it yourself, try again.",
            ),
        )
    if refused.reason in _OF_THE_DOCUMENT:
        told = f"{_OF_THE_DOCUMENT[refused.reason]} {refused.facts.defect or ''}".strip()
        return Notice("It is not clear who this app is", (told, "Whoever makes the app can mend this."))
    return _NOTICES.get(refused.reason, _OTHER)
