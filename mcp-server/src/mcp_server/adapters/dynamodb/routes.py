"""Learns from a request that botocore sent how further ones to the same table are sent.

It is learnt only where our signature and body for the same request are botocore's to the last byte, and where no header
is there whose meaning we don't know. So another way of signing, an endpoint with a query, or a botocore that does
something else than the one this was written for makes requests slower, never wrong: botocore goes on sending them.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from botocore.utils import normalize_url_path

from mcp_server.adapters.dynamodb.signing import TIMESTAMP, Credentials, Signer

_LASTING = frozenset({"content-type", "user-agent", "x-amz-target"})
"""The headers that are the same for each request of an operation."""
_SIGNED_ANEW = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
_SET_ANEW = frozenset({"amz-sdk-invocation-id", "amz-sdk-request", "content-length"})

_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^,]*?/\d{8}/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True)
class Route:
    """How the requests of one operation on one table are sent: POST, with `headers` and those that are signed anew."""

    url: str
    headers: Mapping[str, str]
    signer: Signer


def body_of(arguments: Mapping[str, Any]) -> bytes:
    """An operation's arguments, as botocore writes them: binary as base64. Raises TypeError for what is no argument."""
    return _JSON.encode(arguments).encode()


def learnt(request: Any, arguments: Mapping[str, Any], credentials: Credentials) -> Route | None:
    """The route of a request that botocore prepared for these arguments and credentials; None if it isn't certain."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    scope = _SCOPE.fullmatch(headers.get("authorization", ""))
    url = urlsplit(request.url)
    if (
        scope is None
        or request.method != "POST"
        or request.body != body_of(arguments)
        or url.query
        or headers.keys() - _LASTING - _SIGNED_ANEW - _SET_ANEW
        or "x-amz-date" not in headers
    ):
        return None
    always = {name: headers[name] for name in _LASTING if name in headers}
    among = set(scope["names"].split(";"))
    signed = {name: value for name, value in {**always, "host": _host(url)}.items() if name in among}
    path = quote(normalize_url_path(url.path), safe="/~")
    signer = Signer(signed, path, scope["region"], scope["service"])
    when = datetime.strptime(headers["x-amz-date"], TIMESTAMP).replace(tzinfo=UTC)
    if signer.sign(request.body, credentials, when) != {n: headers[n] for n in headers.keys() & _SIGNED_ANEW}:
        return None
    return Route(request.url, always, signer)


def _host(url: SplitResult) -> str:
    """The header `Host`, as HTTP clients send it: with the port unless it is the usual one."""
    name = url.hostname or ""
    host = f"[{name}]" if ":" in name else name
    usual = {"http": 80, "https": 443}.get(url.scheme)
    return host if url.port in (None, usual) else f"{host}:{url.port}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _plain(value: object) -> object:
    """What JSON has no word for: binary as DynamoDB takes it, and mappings that are not dictionaries."""
    match value:
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case Mapping():
            return dict(value)
    raise TypeError(type(value).__name__)


_JSON = json.JSONEncoder(default=_plain)
