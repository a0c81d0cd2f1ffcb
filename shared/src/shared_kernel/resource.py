"""Resource indicators (RFC 8707): one canonical form, one equality."""

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 2048


class MalformedResource(ValueError):
    """The text is not an absolute http(s) URI that can name a resource."""


def canonical(uri: str) -> str:
    """The canonical form of a resource URI, the string that becomes `aud`.

    Scheme and host in lower case, no default port, no trailing slash; the rest byte for byte. Raises MalformedResource
    for a relative URI, a fragment, userinfo, or characters that no URI has.
    """
    # RFC 8707 §2: "Its value MUST be an absolute URI [...] The URI MUST NOT include a fragment component."
    if len(uri) > MAX_LENGTH or not uri.isascii() or any(char <= " " or char in '"<>\\^`{|}\x7f' for char in uri):
        raise MalformedResource
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise MalformedResource from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or "#" in uri or "@" in parts.netloc:
        raise MalformedResource
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port is None or port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{authority}{parts.path.rstrip('/')}{query}"


def same(left: str, right: str) -> bool:
    """Whether two URIs name one resource. A malformed URI names none."""
    try:
        return canonical(left) == canonical(right)
    except MalformedResource:
        return False


def origin(uri: str) -> str:
    """`scheme://host[:port]` of a resource or issuer, canonical."""
    parts = urlsplit(canonical(uri))
    return f"{parts.scheme}://{parts.netloc}"
