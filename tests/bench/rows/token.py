"""The token endpoint and the two documents, beside node-oidc-provider and beside the bare HTTP stack."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.bench.issuers import DISCOVERY, PEER, SCOPE, Issuer, chains, our_issuer, peer_issuer, redemptions, verify
from tests.bench.load import Caller
from tests.bench.measurement import AtLeast, Even, Row
from tests.bench.requests import Repeat, get, post_form
from tests.bench.subjects import CONNECTIONS, Setting, Target, peer, python
from tests.support.services import Addresses, auth_serving

NAMES = ("token/client-credentials", "token/refresh", "token/code", "document/discovery", "document/jwks")
FLOOR = "bare stack"


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows, over servers that run for as long as the block."""
    with ExitStack() as stack:
        addresses = Addresses()
        with setting.cores.pinned(setting.cores.servers):
            auth = stack.enter_context(auth_serving(addresses, setting.directory, AUTH_TRUSTED_PROXIES="127.0.0.1"))
        ours = our_issuer(auth, setting.cores.servers)
        theirs = stack.enter_context(peer_issuer(setting, addresses.resource))
        floor = stack.enter_context(peer(setting, FLOOR, python("peers.static_asgi"), "/document"))
        issuers = [ours, theirs]
        for each in issuers:
            verify(each)
        yield [
            _client_credentials(issuers, floor),
            _refresh(issuers),
            _code(issuers, setting.codes),
            _document("document/discovery", "GET of the metadata", issuers, floor, lambda _each: DISCOVERY),
            _document("document/jwks", "GET of the key set", issuers, floor, lambda each: each.path("jwks_uri")),
        ]


def _client_credentials(issuers: Sequence[Issuer], floor: Target) -> Row:
    form = {"grant_type": "client_credentials", "scope": SCOPE, "resource": issuers[0].resource}
    bare = post_form(floor.port, "/token", form, Authorization="Basic " + "b" * 88)
    return Row(
        "token/client-credentials",
        "POST /token: an ES256 access token for a client's secret; the bare stack parses the form",
        [
            *(each.target.subject(_repeat(each.client_credentials(), b'"access_token":"ey')) for each in issuers),
            floor.subject(_repeat(bare, b'"access_token":"e')),
        ],
        [AtLeast(1.5, PEER), AtLeast(0.5, FLOOR), Even(5)],
    )


def _refresh(issuers: Sequence[Issuer]) -> Row:
    return Row(
        "token/refresh",
        "POST /token: rotation of a refresh token, 16 chains; ours is on disk before it answers, theirs in memory",
        [each.target.subject(chains(each)) for each in issuers],
        [AtLeast(1.5, PEER), Even(5)],
    )


def _code(issuers: Sequence[Issuer], count: int) -> Row:
    return Row(
        "token/code",
        f"POST /token: redemption of a code with PKCE for both tokens, {count} codes a pass",
        [each.target.subject(redemptions(each, count), warm_up=0.05) for each in issuers],
        [AtLeast(1.2, PEER), Even(5)],
    )


def _document(name: str, work: str, issuers: Sequence[Issuer], floor: Target, path: Callable[[Issuer], str]) -> Row:
    return Row(
        name,
        f"{work}; the bare stack answers with prepared bytes",
        [
            *(each.target.subject(_repeat(get(each.target.port, path(each)), b'":')) for each in issuers),
            floor.subject(_repeat(get(floor.port, "/document"), b'":')),
        ],
        [AtLeast(1.2, PEER), Even(5)],
    )


def _repeat(request: bytes, expected: bytes) -> Callable[[], Sequence[Caller]]:
    return lambda: [Repeat(request, expected)] * CONNECTIONS
