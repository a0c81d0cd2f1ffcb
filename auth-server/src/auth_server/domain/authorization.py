"""An authorization on its way from `/authorize` through sign-in and consent to a code (RFC 6749 §4.1)."""

from dataclasses import dataclass

CODE_LIFETIME = 60
TRANSACTION_LIFETIME = 600
SESSION_LIFETIME = 12 * 3600
MAX_WRONG_VERIFIERS = 3
REPEAT_SECONDS = 10
"""How long the same decision, sent again, still leads where the first one did: the length of an impatient click."""
PUSHED_LIFETIME = 60
"""Seconds in which a pushed request must reach `/authorize`."""
USED_CODE_MEMORY = 3600
"""Seconds for which a used code is remembered, so that its replay revokes what it gave."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request whose client and redirect URI are proven and whose every parameter has been checked.

    `scopes` are what is left after narrowing, `resource` is canonical, `code_challenge` is S256's. `state` is echoed
    byte for byte, and so is `nonce`, in the ID token; None when there was none. `login_hint` is the address that the
    client expects to sign in. `key_thumbprint` (`dpop_jkt`) is that of the one key by which the code may be redeemed,
    None for any or none. `workspace` is the one that the request's URL names, if it names one; nobody has looked
    whether it exists. `device_id` is that of the DeviceAuthorization that is decided here, if it is one: then there is
    neither redirect URI nor challenge. `asks_consent` (`prompt=consent`) has the person asked, whatever they have
    allowed before. `expected_user_id` is the only person who may allow the request (`id_token_hint`), None for anybody.
    """

    client_id: str
    redirect_uri: str
    state: str | None
    scopes: frozenset[str]
    resource: str
    code_challenge: str
    nonce: str | None = None
    login_hint: str | None = None
    key_thumbprint: str | None = None
    workspace: str | None = None
    device_id: str | None = None
    asks_consent: bool = False
    expected_user_id: str | None = None

    def is_for(self, user_id: str) -> bool:
        """Whether that person may allow it, as far as the client says whom it expects."""
        return self.expected_user_id in {None, user_id}


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that its client has sent ahead (RFC 9126), by the SHA-256 of its `request_uri`.

    `parameters` are those of the request, in order, none of which authenticates the client. They were good when they
    came, and are judged again when the browser does.
    """

    digest: str
    client_id: str
    parameters: tuple[tuple[str, str], ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Transaction:
    """An authorization request waiting for its person, by the SHA-256 of its id and bound to one browser.

    `authenticated_since` is the earliest sign-in that will do (`prompt=login`, `max_age`), 0 when any will. `flow_id`
    is the handle of the grant that it may lead to; empty in one of an earlier release.
    """

    digest: str
    browser_digest: str
    request: AuthorizationRequest
    authenticated_since: float
    expires_at: float
    flow_id: str = ""


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code, by its SHA-256, with what the token request is compared with, and the nonce for its ID token.

    `key_thumbprint` is as in its request.
    """

    digest: str
    grant_id: str
    redirect_uri: str
    code_challenge: str
    expires_at: float
    nonce: str | None = None
    key_thumbprint: str | None = None
