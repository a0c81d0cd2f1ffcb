"""Opaque strings handed out and how they are made, recognised and stored.

`ac_<grant id>.<256 bits>` and `rt_<grant id>.<family>.<256 bits>` carry the grant id to route by, never to trust; the
family, 128 random bits that all refresh tokens of a grant share, shows that a token once was one of them. All use only
`[A-Za-z0-9_-]` (and dots), and only their SHA-256 is stored: they are random enough to need no slow hash.
"""

import base64
import hashlib
import hmac

from auth_server.domain.grant import RefreshTokenKey
from shared_kernel.entropy import Entropy

_CREDENTIAL_BITS = 256
_IDENTIFIER_BITS = 128
REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
"""What the `request_uri` of a pushed request begins with."""
_REFRESH_TOKEN_PARTS = 3


def digest(secret: str) -> str:
    """The form in which a random secret is stored and looked up: SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same_digest(left: str, right: str) -> bool:
    """Compares two digests in constant time; either may be any text that came with a request."""
    # compare_digest() takes no str with characters beyond ASCII.
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def authorization_code(*, session_id: str, transaction_id: str, grant_id: str) -> str:
    """The authorization code of a grant that a person gave in that session for that transaction.

    Whoever holds the session's cookie can have the same one again, for an answer that was lost on the way; to everybody
    else, the store included, it is as good as random.
    """
    message = f"code|{transaction_id}|{grant_id}".encode("utf-8", "surrogatepass")
    derived = hmac.digest(session_id.encode("utf-8", "surrogatepass"), message, "sha256")
    return f"ac_{grant_id}.{base64.urlsafe_b64encode(derived).rstrip(b'=').decode()}"


def new_refresh_token(entropy: Entropy, grant_id: str) -> str:
    """The first refresh token of that grant, of a new family."""
    return f"rt_{grant_id}.{entropy.token(_IDENTIFIER_BITS)}.{entropy.token(_CREDENTIAL_BITS)}"


def next_refresh_token(entropy: Entropy, refresh_token: str) -> str:
    """The successor of a refresh token. One of the first release, which named no family, founds one."""
    parts = refresh_token.split(".")
    family = parts[1] if len(parts) == _REFRESH_TOKEN_PARTS else entropy.token(_IDENTIFIER_BITS)
    return f"{parts[0]}.{family}.{entropy.token(_CREDENTIAL_BITS)}"


def refresh_token_key(unverified_token: str) -> RefreshTokenKey | None:
    """How to look up what was presented as a refresh token; None if it does not look like one."""
    route, *rest = unverified_token.split(".")
    if not route.startswith("rt_") or not 1 <= len(rest) < _REFRESH_TOKEN_PARTS:
        return None
    family = digest(rest[0]) if len(rest) == _REFRESH_TOKEN_PARTS - 1 else ""
    return RefreshTokenKey(route.removeprefix("rt_"), family, digest(unverified_token))


def new_identifier(entropy: Entropy) -> str:
    """A fresh random name: a grant id, a grant handle, a token id."""
    return entropy.token(_IDENTIFIER_BITS)


def new_user_id(entropy: Entropy) -> str:
    """A fresh user id. No client id begins like this, so a `sub` is never ambiguous."""
    return f"usr_{entropy.token(_IDENTIFIER_BITS)}"


def is_user_id(subject: str) -> bool:
    """Whether the `sub` of a token is a person; else it is a client that acts for itself."""
    return subject.startswith("usr_")


def new_client_id(entropy: Entropy) -> str:
    """A fresh id for a client that the operator registers."""
    return f"client_{entropy.token(_IDENTIFIER_BITS)}"


def new_registered_client_id(entropy: Entropy) -> str:
    """A fresh id for a client that registers itself and presents keys."""
    return f"dcr_{entropy.token(_IDENTIFIER_BITS)}"


def new_registration_token(entropy: Entropy) -> str:
    """A fresh token with which a client manages its registration."""
    return f"rat_{entropy.token(_CREDENTIAL_BITS)}"


def new_initial_token(entropy: Entropy) -> str:
    """A fresh initial access token, of a fresh id: `iat_<id>.<256 bits>`."""
    return f"iat_{entropy.token(_IDENTIFIER_BITS)}.{entropy.token(_CREDENTIAL_BITS)}"


def initial_token_id(unverified_token: str) -> str | None:
    """The id in what was presented as an initial access token; None if it does not look like one."""
    route, dot, secret = unverified_token.partition(".")
    return route.removeprefix("iat_") if route.startswith("iat_") and dot and secret else None


def new_administrator_key(entropy: Entropy) -> str:
    """A fresh key for the operator's verbs over HTTP."""
    return f"adm_{entropy.token(_CREDENTIAL_BITS)}"


def new_client_secret(entropy: Entropy) -> str:
    """A fresh client secret; the prefix lets secret scanners recognise it."""
    return f"cs_{entropy.token(_CREDENTIAL_BITS)}"


def new_session_id(entropy: Entropy) -> str:
    """A fresh session cookie value."""
    return f"ses_{entropy.token(_CREDENTIAL_BITS)}"


def new_browser_id(entropy: Entropy) -> str:
    """A fresh value for the cookie that binds transactions to a browser."""
    return f"brw_{entropy.token(_CREDENTIAL_BITS)}"


def new_transaction_id(entropy: Entropy) -> str:
    """A fresh transaction id."""
    return f"txn_{entropy.token(_CREDENTIAL_BITS)}"


def new_request_uri(entropy: Entropy) -> str:
    """A fresh `request_uri` for a pushed request (RFC 9126 §2.2)."""
    return f"{REQUEST_URI}{entropy.token(_CREDENTIAL_BITS)}"


def pushed_transaction_id(*, browser_id: str, pushed_digest: str) -> str:
    """The id of the transaction that a browser starts with a pushed request.

    The same browser gets the same one when it comes again; to everybody else it is as good as random.
    """
    message = f"transaction|{pushed_digest}".encode("utf-8", "surrogatepass")
    derived = hmac.digest(browser_id.encode("utf-8", "surrogatepass"), message, "sha256")
    return f"txn_{base64.urlsafe_b64encode(derived).rstrip(b'=').decode()}"


def csrf_token(*, cookie: str, transaction_id: str, page: str) -> str:
    """The anti-forgery token of a page: stable for the cookie and transaction, unknown to whoever lacks the cookie."""
    message = f"csrf|{page}|{transaction_id}".encode("utf-8", "surrogatepass")
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), message, hashlib.sha256).hexdigest()
