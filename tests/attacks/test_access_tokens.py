"""Forged access tokens, over HTTP, at a running mcp-server whose issuer is under control here: cases F01 to F25."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from joserfc import jws

from shared_kernel.clock import SystemClock
from tests.mcp_server.web.serving import Issuer, new_key
from tests.mcp_server.web.test_guard import FORGERIES, LIST, call, encoded, resigned
from tests.support.emulator import Emulator
from tests.support.gateway import listening_on
from tests.support.processes import answers, free_port, wait_for
from tests.support.services import Addresses, mcp_replica

pytestmark = pytest.mark.slow

HEADERS = {"Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running mcp-server, and the issuer it believes."""

    issuer: Issuer
    url: str

    def post(self, token: str, message: object = LIST) -> httpx2.Response:
        """A request with a token."""
        return httpx2.post(self.url, json=message, headers=HEADERS | {"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.fixture(scope="module")
def guarded(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """An mcp-server whose issuer's key is known here."""
    # The tokens of the forgeries are for a resource on port 8000; the server listens elsewhere.
    addresses = Addresses(auth_port=free_port(), mcp_port=8000)
    issuer = Issuer(addresses.issuer, addresses.resource)
    with listening_on(addresses.auth_port, issuer.app):
        wait_for(answers(f"{issuer.url}/.well-known/jwks.json"), 60, "the issuer")
        with mcp_replica(addresses, tmp_path_factory.mktemp("guarded"), emulator.endpoint_url) as server:
            yield Guarded(issuer, server.resource)


def test_f01_f02_f03_f04_f06_f07_f08_f09_f10_f11_f12_f16_f20_f21_a_forged_token_is_refused(guarded: Guarded) -> None:
    """What the forgeries are made of is good: nothing but the forgery makes them fail."""
    assert guarded.post(resigned(guarded.issuer)).status_code == 200
    for name, forgery in FORGERIES.items():
        token = forgery(guarded.issuer)
        answer = guarded.post(token)
        if len(token) > 16_384:
            assert answer.status_code == 431, name
            continue
        assert answer.status_code == 401, name
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer error="invalid_token"'), name
        assert "resource_metadata=" in challenge, name


def test_f05_a_key_inside_a_token_is_not_used(guarded: Guarded) -> None:
    own = new_key()
    header = {"kid": guarded.issuer.key.kid, "jwk": own.as_dict(private=False), "jku": "http://127.0.0.1:1/"}
    forged = resigned(guarded.issuer, header).rsplit(".", 1)[0]
    algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
    assert guarded.post(f"{forged}.{encoded(algorithm.sign(forged.encode(), own))}").status_code == 401
    assert guarded.post(resigned(guarded.issuer, header)).status_code == 200


def test_f13_f14_a_token_is_taken_from_one_header_and_nowhere_else(guarded: Guarded) -> None:
    token = guarded.issuer.token()
    answer = httpx2.post(guarded.url, params={"access_token": token}, json=LIST, headers=HEADERS)
    assert answer.status_code == 400
    good = ("Authorization", f"Bearer {token}")
    assert httpx2.post(guarded.url, json=LIST, headers=[*HEADERS.items(), good, good]).status_code == 400
    assert guarded.post(f"Bearer {token}").status_code == 400


@pytest.mark.parametrize(
    ("granted", "tool", "needed"), [((), "run_sql", "query"), (("query",), "list_tables", "schemas:read")]
)
def test_f17_a_missing_scope_is_named(guarded: Guarded, granted: tuple[str, ...], tool: str, needed: str) -> None:
    answer = guarded.post(guarded.issuer.token(scopes=granted), call(tool))
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{needed}"' in challenge


def test_f22_no_answer_repeats_the_token(guarded: Guarded) -> None:
    for token in (guarded.issuer.token(scopes=()), *(forgery(guarded.issuer) for forgery in FORGERIES.values())):
        answer = guarded.post(token, call("run_sql"))
        sent = answer.text + str(answer.headers)
        assert not any(part in sent for part in token.split(".") if len(part) > 20)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(50, 200, id="i18-soon"),
        pytest.param(80, 401, id="i18-of-tomorrow"),
        pytest.param(-640, 200, id="i18-just-over"),
        pytest.param(-680, 401, id="i18-over"),
    ],
)
def test_clocks_may_differ_by_a_minute(guarded: Guarded, seconds: int, status: int) -> None:
    assert guarded.post(guarded.issuer.token(now=SystemClock().now() + seconds)).status_code == status


def test_f25_a_forged_feed_of_revocations_changes_nothing(guarded: Guarded) -> None:
    """Of another key, and of another issuer; the true one, signed no better, does."""
    issuer, token = guarded.issuer, guarded.issuer.token(subject="usr_2")
    issuer.grants["gid-1"] = SystemClock().now()
    forged = [issuer.written_feed(key=new_key()), issuer.written_feed(issuer="https://elsewhere.example")]
    issuer.grants.clear()
    try:
        for issuer.feed in forged:
            issuer.cursors.clear()
            wait_for(lambda: len(issuer.cursors) > 1, 60, "a look at the feed")
            assert guarded.post(token).status_code == 200
        issuer.users["usr_2"] = SystemClock().now()
        issuer.feed = None
        wait_for(lambda: guarded.post(token).status_code == 401, 60, "the end of the token")
    finally:
        issuer.feed = None
        issuer.users.clear()
