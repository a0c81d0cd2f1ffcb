"""Proof Key for Code Exchange (RFC 7636), method S256 only."""

import re

# RFC 7636 §4.1: "code-verifier = 43*128unreserved"
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
# What S256 gives is always 43 characters of base64url; a longer challenge could never be met.
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
METHOD = "S256"


def is_verifier(text: str | None) -> bool:
    """Whether a `code_verifier` is well-formed."""
    return text is not None and _VERIFIER.fullmatch(text) is not None


def is_challenge(challenge: str | None, method: str | None) -> bool:
    """Whether a request's `code_challenge` and `code_challenge_method` are an S256 challenge, both present."""
    # OAuth 2.1 §4.1.1 lets an absent method mean "plain", which shows the verifier to whoever sees the request.
    return method == METHOD and challenge is not None and _CHALLENGE.fullmatch(challenge) is not None
