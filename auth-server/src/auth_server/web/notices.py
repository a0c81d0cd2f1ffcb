"""What people are told when there is nothing to fill in: each names the cause and the way out."""

from auth_server.domain.failures import Reason
from auth_server.web.endpoint import Problem
from auth_server.web.pages import Notice, Step

_START_AGAIN = "Go back to your app and connect again."
_RESET = (
    Step("Claude Code", "Type /mcp, choose this server, clear its authentication, and connect again."),
    Step("Codex", "Run codex mcp logout with the server's name, then codex mcp login."),
    Step("Cursor, VS Code", "Remove the MCP server from the settings, add it again, and connect."),
    Step("Any other app", "Remove the connection to this server there, then add it again."),
)


def rejected(reason: Reason, reference: str) -> Notice:
    """Why an authorization request ends here: the client or its address cannot be trusted with an answer."""
    if reason is Reason.UNKNOWN_CLIENT:
        return Notice(
            "This app is not registered here",
            ("It introduced itself with an id that this server does not know, perhaps one that has expired.",),
            reference,
            "Let the app register again",
            _RESET,
        )
    if reason is Reason.REDIRECT_URI_NOT_ALLOWED:
        return Notice(
            "The return address does not match",
            (
                "The app asked to be answered at an address that is not registered for it. "
                "Nothing was sent there, and nothing was shared.",
            ),
            reference,
            "Let the app register again",
            _RESET,
        )
    return Notice(
        "This request cannot be served",
        ("The link that brought you here is incomplete or damaged. " + _START_AGAIN,),
        reference,
    )


def stale(reference: str) -> Notice:
    """The transaction is unknown, too old, or belongs to another browser."""
    return Notice(
        "This page has expired",
        (
            "A connection must be completed within ten minutes, in the browser in which it began.",
            _START_AGAIN,
        ),
        reference,
    )


def already_used(reference: str) -> Notice:
    """The decision was taken before."""
    return Notice(
        "This is already settled",
        ("Your answer has been sent to the app. You can close this page and go back to it.",),
        reference,
    )


def forged(reference: str) -> Notice:
    """A form that our page did not send."""
    return Notice(
        "This form was not accepted",
        ("It did not come from this server's own page, or your browser hides where it came from.", _START_AGAIN),
        reference,
    )


_TITLES = {
    404: ("There is no page here", "Check the address, or go back to your app and connect again."),
    405: ("This page cannot be opened like this", _START_AGAIN),
    413: ("That was too much", "The form was longer than this server accepts."),
    429: ("One moment, please", "Your network has started many sign-ins. Wait a minute, then load the page again."),
    500: ("Something went wrong here", "It is not your doing. Try again; if it stays, report the reference below."),
    503: ("Just a moment", "This server cannot answer right now, and nothing was lost. Load the page again shortly."),
}


def problem(refusal: Problem, reference: str) -> Notice:
    """A problem in words for people."""
    title, text = _TITLES.get(refusal.status, ("This request cannot be served", _START_AGAIN))
    return Notice(title, (text,), reference)
