"""Cuts secrets out of log lines: the last line of defence, for callers log names and reasons, never credentials."""

import re

REDACTED = "[redacted]"
SECRET_NAMES = frozenset(
    {
        "authorization",
        "cookie",
        "set-cookie",
        "password",
        "client_secret",
        "secret",
        "code",
        "code_verifier",
        "state",
        "token",
        "access_token",
        "refresh_token",
        "id_token",
        "client_assertion",
        "assertion",
        "device_code",
        "registration_access_token",
        "subject_token",
        "csrf",
        "csrf_token",
        "session",
        "session_id",
    }
)
"""Fields whose value is never written, in lower case."""

_SHORTEST = 12  # characters of a text without `=` that could hold any of the forms below
_REDACTED = REDACTED.encode()
# Codes, refresh tokens, client secrets, session cookies and JWTs, wherever they stand in a text.
PREFIXES = "ac_|rt_|dc_|iat_|rat_|cs_|ses_|brw_|txn_"
"""What our secrets begin with, as alternatives of a pattern."""
_PREFIXES = tuple(PREFIXES.split("|"))
_SECRET_TEXTS = re.compile(
    rb"(?<![A-Za-z0-9])(?:" + PREFIXES.encode() + rb")[A-Za-z0-9_.\-]{16,}"
    rb"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"
)
# Any credential whose form we do not know, by what stands before it in a header, a form, a URL or JSON. The line itself
# is JSON, so a quotation mark within a text is escaped, and none is ever part of what is cut out.
_NAMED_SECRETS = re.compile(
    rb"(?i)\b((?:bearer|basic) +)[a-z0-9._~+/=\-]{16,}"
    rb"|\b((?:code|code_verifier|password|client_secret|access_token|refresh_token)"
    rb"(?:=|\\*[\"'] ?: ?\\*[\"']))[^\s&\"',;\\]+"
)


def could_hold_secret(text: str) -> bool:
    """False if `redact` would find nothing in the text: a glance that spares nearly every line the search."""
    if "=" in text:
        return True
    if len(text) < _SHORTEST:
        return False
    if "_" in text:
        for prefix in _PREFIXES:  # quicker than one pattern of them all
            if prefix in text:
                return True
    if " " in text:
        lowered = text.lower()
        if "bearer " in lowered or "basic " in lowered:
            return True
    return "eyJ" in text or "'" in text or '"' in text


def redact(line: bytes) -> bytes:
    """A line of JSON with every known form of secret replaced; it stays JSON."""
    return _NAMED_SECRETS.sub(rb"\1\2" + _REDACTED, _SECRET_TEXTS.sub(_REDACTED, line))
