"""Attacks on codes and refresh tokens, over HTTP, on a running server: cases C01 to C14, E01 to E13, I10."""

from functools import partial

import pytest

from tests.attacks.target import LOOPBACK, Target, assert_refused, redirected
from tests.support.concurrency import at_once
from tests.support.people import Pkce, submit
from tests.support.services import claims, run_cli

pytestmark = pytest.mark.slow

PARALLEL = 40


def assert_code_refused(target: Target, code: str, pkce: Pkce, **changes: str | None) -> None:
    assert_refused(target.redeem(code, pkce, **changes), 400, "invalid_grant")


def test_c01_a_code_that_is_used_again_takes_along_what_it_gave(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    given = target.redeem(code, pkce).json()
    assert_code_refused(target, code, pkce)
    assert_refused(target.refresh(given["refresh_token"]), 400, "invalid_grant")


def test_c02_of_40_parallel_redemptions_one_succeeds(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    answers = at_once([partial(target.redeem, code, pkce)] * PARALLEL)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (PARALLEL - 1)


def test_c03_three_wrong_verifiers_burn_a_code(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    for _ in range(3):
        assert_code_refused(target, code, Pkce())
    assert_code_refused(target, code, pkce)


@pytest.mark.parametrize("verifier", [None, "", "a" * 42, "a" * 129, "a" * 42 + "+"])
def test_c04_a_malformed_verifier_costs_nothing(target: Target, verifier: str | None) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    assert_refused(target.redeem(code, pkce, code_verifier=verifier), 400, "invalid_request")
    assert target.redeem(code, pkce).status_code == 200


def test_c06_another_clients_code_stays_as_it_is(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    assert_code_refused(target, code, pkce, client_id=target.registered("Other"))
    assert target.redeem(code, pkce).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(None, id="c07-missing"),
        pytest.param("http://localhost:53219/callback", id="c07-other-name"),
        pytest.param(LOOPBACK + "/", id="c07-slash"),
        pytest.param(LOOPBACK.replace("53219", "53220"), id="c08-other-port"),
    ],
)
def test_a_code_belongs_to_one_redirect_uri(target: Target, uri: str | None) -> None:
    pkce = Pkce()
    answer = target.redeem(target.code(pkce), pkce, redirect_uri=uri)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_grant", "invalid_request"}


def test_c10_another_resource_is_refused_and_costs_nothing(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    assert_refused(target.redeem(code, pkce, resource="https://evil.example/mcp"), 400, "invalid_target")
    assert target.redeem(code, pkce).status_code == 200


def test_c11_a_scope_at_the_exchange_changes_nothing(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce, scope="query")
    assert target.redeem(code, pkce, scope="schemas:read query").json()["scope"] == "query"


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_c12_parameters_in_the_url_are_refused(target: Target, path: str) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    with target.stranger() as stranger:
        assert_refused(stranger.post(path, params={"code": code, "token": code}), 400, "invalid_request")


def test_c14_a_used_code_with_a_wrong_verifier_revokes_nothing(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    given = target.redeem(code, pkce).json()
    assert_code_refused(target, code, Pkce())
    assert target.refresh(given["refresh_token"]).status_code == 200


def test_e01_e10_the_rotated_token_gives_the_same_again_and_nothing_else(target: Target) -> None:
    first = target.tokens()["refresh_token"]
    second, again = target.refresh(first).json(), target.refresh(first).json()
    assert 0 < again.pop("expires_in") <= second.pop("expires_in")
    assert again == second
    assert_refused(target.refresh(first, scope="query"), 400, "invalid_grant")


def test_e02_40_parallel_refreshes_have_one_successor(target: Target) -> None:
    first = target.tokens()["refresh_token"]
    answers = at_once([partial(target.refresh, first)] * PARALLEL)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_e03_the_rotated_token_once_its_successor_was_used_ends_the_family(target: Target) -> None:
    first = target.tokens()["refresh_token"]
    second = target.refresh(first).json()["refresh_token"]
    third = target.refresh(second).json()["refresh_token"]
    assert_refused(target.refresh(first), 400, "invalid_grant")
    assert_refused(target.refresh(third), 400, "invalid_grant")


def test_e05_another_clients_token_is_refused_and_ends_the_family(target: Target) -> None:
    token = target.tokens()["refresh_token"]
    assert_refused(target.refresh(token, client_id=target.registered("Other")), 400, "invalid_grant")
    assert_refused(target.refresh(token), 400, "invalid_grant")


def test_e06_e07_e08_scopes_never_grow_and_the_grant_never_shrinks(target: Target) -> None:
    token = target.tokens(scope="query")["refresh_token"]
    assert_refused(target.refresh(token, scope="schemas:read query"), 400, "invalid_scope")
    token = target.tokens()["refresh_token"]
    narrow = target.refresh(token, scope="query").json()
    assert narrow["scope"] == claims(narrow["access_token"])["scope"] == "query"
    assert target.refresh(narrow["refresh_token"]).json()["scope"] == "schemas:read query"


def test_e09_another_resource_is_refused_and_costs_nothing(target: Target) -> None:
    token = target.tokens()["refresh_token"]
    assert_refused(target.refresh(token, resource="https://evil.example/mcp"), 400, "invalid_target")
    assert target.refresh(token).status_code == 200


def test_e11_e18_a_person_who_is_disabled_has_nothing_any_more(target: Target) -> None:
    """Neither codes nor refresh tokens, from the next request on."""
    email, settings = "leaving@example.com", target.server.server.environment
    run_cli(settings, "user", "create", "--email", email, "--password-file", str(target.server.directory / "password"))
    with target.stranger() as browser:
        pkces = Pkce(), Pkce()
        pages = [target.consent_page(browser, pkce, email=email) for pkce in pkces]
        code, unused = (redirected(submit(browser, page, decision="approve"))["code"] for page in pages)
    given = target.redeem(code, pkces[0]).json()
    run_cli(settings, "user", "disable", email)
    assert_code_refused(target, unused, pkces[1])
    assert_refused(target.refresh(given["refresh_token"]), 400, "invalid_grant")


def test_e13_one_kind_of_token_is_not_another(target: Target) -> None:
    pkce = Pkce()
    code = target.code(pkce)
    given = target.redeem(code, pkce).json()
    for token in (given["access_token"], code, *target.http.cookies.values()):
        assert_refused(target.refresh(token), 400, "invalid_grant")
    assert_code_refused(target, given["refresh_token"], pkce)


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "bogus"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_i10_either_token_ends_the_family_whatever_the_hint(target: Target, kind: str, hint: str | None) -> None:
    given = target.tokens()
    form = {"token": given[kind], "client_id": target.registered("Target")} | (
        {"token_type_hint": hint} if hint else {}
    )
    with target.stranger() as stranger:
        assert stranger.post("/revoke", data=form).status_code == 200
    assert_refused(target.refresh(given["refresh_token"]), 400, "invalid_grant")


@pytest.mark.parametrize("token", ["x", "rt_a.b", "a.b.c", "é", "e30.e30.e30", "x" * 10_000], ids=lambda text: text[:9])
def test_i10_an_unknown_token_and_another_clients_are_left_alone(target: Target, token: str) -> None:
    given = target.tokens()
    with target.stranger() as stranger:
        for each in (token, given["refresh_token"], given["access_token"]):
            form = {"token": each, "client_id": target.registered("Other")}
            assert stranger.post("/revoke", data=form).status_code == 200
    assert target.refresh(given["refresh_token"]).status_code == 200


def test_c13_e15_a_stolen_store_holds_neither_codes_nor_tokens(target: Target) -> None:
    """256 random bits each, of which it knows only the hash; what it keeps to answer a retry opens with the token."""
    pkces = Pkce(), Pkce()
    codes = [target.code(pkce) for pkce in pkces]
    given = target.redeem(codes[0], pkces[0]).json()
    answers = [target.refresh(given["refresh_token"]).json() for _ in range(2)]
    assert answers[0]["refresh_token"] == answers[1]["refresh_token"]
    tokens = [answer[name] for answer in (given, *answers) for name in ("access_token", "refresh_token")]
    secrets = {secret.rpartition(".")[2] for secret in (*codes, *tokens)}
    assert len(secrets) == 6
    assert min(map(len, secrets)) >= 43
    dump = b"".join(file.read_bytes() for file in target.server.directory.glob("auth.db*"))
    assert target.registered("Target").encode() in dump
    assert [secret for secret in secrets if secret.encode() in dump] == []
