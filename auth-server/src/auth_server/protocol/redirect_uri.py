"""Redirect URIs: which ones may be registered, which presented one matches, how parameters are added.

RFC 6749 §3.1.2, RFC 8252 §7 and §8.3, RFC 9700 §2.1. One validator serves every leg.
"""

import re
from collections.abc import Container, Iterable
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit

MAX_LENGTH = 2048
# RFC 3986 §4.3, absolute-URI: brackets around an address only, `%` before two digits only. No `\`, which browsers read
# as `/`; no `*`, which would look like a wildcard and be none.
_CHARACTERS = re.compile(
    r"[A-Za-z0-9+.\-]+:(?://\[[0-9A-Fa-f:.]+\])?(?:[A-Za-z0-9\-._~:/?@!$&'()+,;=]|%[0-9A-Fa-f]{2})*"
)
_AUTHORITY = re.compile(r"(?:\[[^\]]+\]|[^:\[\]]*)(?::[0-9]*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*", re.IGNORECASE)
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)")
_HTTPS_AUTHORITY = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9\-_.]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE
)
# Schemes that run code, read files, open other programs or speak other protocols: never an app's own.
_FORBIDDEN_SCHEME = re.compile(
    r"about|android-app|app-settings|blob|chrome|chrome-extension|content|data|edge|file|filesystem|ftps?|gopher|help"
    r"|intent|jar|javascript|ldaps?|livescript|mailto|mhtml|moz-extension|ms-msdt|ms-officecmd|news|nntp|opera|resource"
    r"|search-ms|sftp|shell|sms|smb|ssh|steam|tel|telnet|urn|vbscript|view-source|wais|wss?"
)
# What a response adds. In the registered URI they would stand there twice, and readers differ in which one they take.
_RESPONSE_PARAMETERS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token", "access_token"}
)


class Kind(StrEnum):
    """What stands at the other end of a redirect."""

    WEB = "web"
    LOOPBACK = "loopback"
    PRIVATE_SCHEME = "private_scheme"


class UnacceptableRedirectUri(ValueError):
    """The URI must not be redirected to."""


def kind(uri: str) -> Kind:
    """What an acceptable redirect URI leads to. Raises UnacceptableRedirectUri for any other."""
    if len(uri) > MAX_LENGTH or not _CHARACTERS.fullmatch(uri):
        raise UnacceptableRedirectUri
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest or not _SCHEME.fullmatch(scheme):
        raise UnacceptableRedirectUri
    try:
        parts = urlsplit(uri)
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError as error:
        raise UnacceptableRedirectUri from error
    if "@" in parts.netloc or "%" in parts.netloc or not _AUTHORITY.fullmatch(parts.netloc):
        raise UnacceptableRedirectUri
    if names & _RESPONSE_PARAMETERS:
        raise UnacceptableRedirectUri
    match scheme.lower():
        case "https" if _HTTPS_AUTHORITY.fullmatch(parts.netloc) and _is_port(parts.netloc):
            return Kind.WEB
        case "http" if without_port(uri) is not None:
            return Kind.LOOPBACK
        case "http" | "https":
            raise UnacceptableRedirectUri
        case other if _FORBIDDEN_SCHEME.fullmatch(other):
            raise UnacceptableRedirectUri
        case _ if not rest.strip("/"):
            raise UnacceptableRedirectUri
        case _:
            return Kind.PRIVATE_SCHEME


def is_private_scheme(scheme: str) -> bool:
    """Whether a text is a scheme, in lower case, that an app may claim as its own."""
    return (
        _SCHEME.fullmatch(scheme) is not None
        and scheme == scheme.lower()
        and scheme not in {"http", "https"}
        and not _FORBIDDEN_SCHEME.fullmatch(scheme)
    )


def check_self_registered(uri: str, schemes: Container[str]) -> None:
    """Raises UnacceptableRedirectUri unless a client may choose the URI by itself.

    RFC 8252 §7.1: apps "MUST use a URI scheme based on a domain name under their control, expressed in reverse order".
    Schemes without a dot may belong to any program of the system; `schemes` are those of known apps.
    """
    if kind(uri) is Kind.PRIVATE_SCHEME:
        scheme = uri.partition(":")[0].lower()
        if "." not in scheme and scheme not in schemes:
            raise UnacceptableRedirectUri


def without_port(uri: str) -> str | None:
    """A loopback URI with its port removed; None for any other URI.

    RFC 8252 §7.3: "The authorization server MUST allow any port to be specified at the time of the request for
    loopback IP redirect URIs". The name `localhost` is treated alike, because common clients use it.
    """
    found = _LOOPBACK.fullmatch(uri)
    if found is None or (found[2] is not None and int(found[2]) > 65535):
        return None
    return f"http://{found[1]}{found[3]}"


def canonical(uri: str) -> str:
    """The form in which an acceptable URI is stored: byte for byte, but without a loopback port."""
    return without_port(uri) or uri


def matches(registered: str, presented: str) -> bool:
    """Whether a presented URI is the registered one: byte for byte, but for the port on loopback.

    RFC 9700 §2.1: "authorization servers MUST utilize exact string matching except for port numbers in localhost
    redirection URIs of native apps".
    """
    if registered == presented:
        return True
    wanted = without_port(registered)
    return wanted is not None and wanted == without_port(presented)


def is_registered(registered: Iterable[str], presented: str) -> bool:
    """Whether a presented URI matches one of the registered ones."""
    return any(matches(uri, presented) for uri in registered)


def shown_host(uri: str) -> str:
    """Where an acceptable URI leads, short enough to read: `host[:port]`, or `scheme://host` of a private scheme."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def with_parameters(uri: str, parameters: Iterable[tuple[str, str | None]]) -> str:
    """The URI with these query parameters added, None ones left out; everything in them percent-encoded."""
    query = urlencode([(name, value) for name, value in parameters if value is not None])
    if not query:
        return uri
    if uri.endswith(("?", "&")):
        return f"{uri}{query}"
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _is_port(authority: str) -> bool:
    """Whether the authority's port, if it has one, exists."""
    _, colon, port = authority.rpartition(":")
    return not colon or not port.isdigit() or authority.endswith("]") or 0 < int(port) <= 65535
