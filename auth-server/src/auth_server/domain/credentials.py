"""Opaque strings handed out and how they are made, recognised and stored.

`ac_<grant id>.<256 bits>` and `rt_<grant id>.<256 bits>` carry the grant id to route by, never to trust. All use only
`[A-Za-z0-9_-]` (and the one dot), and only their SHA-256 is stored: they are random enough to need no slow hash.
"""

import hashlib
import hmac

from shared_kernel.entropy import Entropy

_CREDENTIAL_BITS = 256
_IDENTIFIER_BITS = 128


def digest(secret: str) -> str:
    """The form in which a random secret is stored and looked up: SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same_digest(left: str, right: str) -> bool:
    """Compares two digests in constant time; either may be any text that came with a request."""
    # compare_digest() takes no str with characters beyond ASCII.
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def new_authorization_code(entropy: Entropy, grant_id: str) -> str:
    """A fresh authorization code of that grant."""
    return f"ac_{grant_id}.{entropy.token(_CREDENTIAL_BITS)}"


def new_refresh_token(entropy: Entropy, grant_id: str) -> str:
    """A fresh refresh token of that grant."""
    return f"rt_{grant_id}.{entropy.token(_CREDENTIAL_BITS)}"


def new_identifier(entropy: Entropy) -> str:
    """A fresh random name: a grant id, a grant handle, a token id."""
    return entropy.token(_IDENTIFIER_BITS)


def new_user_id(entropy: Entropy) -> str:
    """A fresh user id. No client id begins like this, so a `sub` is never ambiguous."""
    return f"usr_{entropy.token(_IDENTIFIER_BITS)}"


def new_client_id(entropy: Entropy) -> str:
    """A fresh id for a client that the operator registers."""
    return f"client_{entropy.token(_IDENTIFIER_BITS)}"


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


def csrf_token(*, cookie: str, transaction_id: str, page: str) -> str:
    """The anti-forgery token of a page: stable for the cookie and transaction, unknown to whoever lacks the cookie."""
    message = f"csrf|{page}|{transaction_id}".encode("utf-8", "surrogatepass")
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), message, hashlib.sha256).hexdigest()
