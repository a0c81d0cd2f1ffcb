"""URLs from which something that a client publishes may be fetched: its metadata document, its key set."""

import re
from urllib.parse import unquote, urlsplit

from auth_server.domain.deployment import Deployment, DocumentPolicy
from auth_server.domain.failures import Reason, Refused

MAX_LENGTH = 1024
PREFIX = "https://"
_URL = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# The last label of a name is never a number; such a host is an address in one of its many spellings (WHATWG URL, "ends
# in a number"), and addresses are nobody's identity.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def origin(url: str) -> str:
    """The origin of a URL that is acceptable, to count by. Raises Refused (CLIENT_DOCUMENT_URL).

    One spelling is accepted: lower-case host, no default port. The rules are those of client ids, which are compared
    character by character (draft-ietf-oauth-client-id-metadata-document-02 §3).
    """
    found = _URL.fullmatch(url) if len(url) <= MAX_LENGTH else None
    if found is None or _PERCENT.search(url):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    host, port = found["host"], found["port"]
    # §3: "MUST NOT contain single-dot or double-dot path segments"
    segments = [unquote(segment) for segment in found["path"].split("/")]
    if any(segment in {".", ".."} for segment in segments) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    if port == "443" or int(port or 1) > 65535 or len(host) > 253:
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    return PREFIX + (f"{host}:{port}" if port else host)


def foreign_origin(url: str, issuer: str) -> str:
    """As origin(); of a URL on another host than the server's own. Raises Refused (CLIENT_DOCUMENT_URL)."""
    found = origin(url)
    # Whoever asks this server to ask itself waits for both.
    if urlsplit(issuer).netloc == found.removeprefix(PREFIX):
        raise Refused(Reason.CLIENT_DOCUMENT_URL)
    return found


def check_policy(origin: str, deployment: Deployment) -> None:
    """Raises Refused unless a stranger may have something fetched from that origin.

    Reasons: UNKNOWN_CLIENT, CLIENT_DOCUMENT_NOT_ALLOWED.
    """
    match deployment.client_documents:
        case DocumentPolicy.OFF:
            raise Refused(Reason.UNKNOWN_CLIENT)
        case DocumentPolicy.NAMED if origin not in deployment.document_origins:
            raise Refused(Reason.CLIENT_DOCUMENT_NOT_ALLOWED)
