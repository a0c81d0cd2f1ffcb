"""Attacks with what is over, over HTTP, on a running server whose clock is set: C09, E04, E12, E17, I15, I18."""

from collections.abc import Mapping
from typing import Any

import pytest

from auth_server.domain.grant import GRANT_LIFETIME, REFRESH_IDLE_LIFETIME, REPLAY_WINDOW
from tests.attacks.target import Later, assert_page, assert_refused
from tests.support.client_keys import ClientKey
from tests.support.people import Pkce

pytestmark = pytest.mark.slow

KEY = ClientKey()


def test_c09_a_code_is_good_for_a_minute(later: Later) -> None:
    pkce, other = Pkce(), Pkce()
    code, late = later.code(pkce), later.code(other)
    later.pass_time(50)
    assert later.redeem(code, pkce).status_code == 200
    later.pass_time(11)
    assert_refused(later.redeem(late, other), 400, "invalid_grant")


def test_e04_the_rotated_token_after_the_window_ends_the_family(later: Later) -> None:
    first = later.tokens()["refresh_token"]
    second = later.refresh(first).json()["refresh_token"]
    later.pass_time(REPLAY_WINDOW + 1)
    assert_refused(later.refresh(first), 400, "invalid_grant")
    assert_refused(later.refresh(second), 400, "invalid_grant")


def test_e17_replay_after_replay_does_not_prolong_the_window(later: Later) -> None:
    first = later.tokens()["refresh_token"]
    second = later.refresh(first).json()["refresh_token"]
    for _ in range(3):
        later.pass_time(REPLAY_WINDOW / 4)
        assert later.refresh(first).json()["refresh_token"] == second
    later.pass_time(REPLAY_WINDOW / 4 + 1)
    assert_refused(later.refresh(first), 400, "invalid_grant")


def test_e12_a_token_that_nobody_uses_ends_and_so_does_every_family(later: Later) -> None:
    unused, used = later.tokens()["refresh_token"], later.tokens()["refresh_token"]
    for _ in range(3):
        later.pass_time(REFRESH_IDLE_LIFETIME - 60)
        used = later.refresh(used).json()["refresh_token"]
    assert_refused(later.refresh(unused), 400, "invalid_grant")
    later.pass_time(GRANT_LIFETIME - 3 * (REFRESH_IDLE_LIFETIME - 60) + 1)
    assert_refused(later.refresh(used), 400, "invalid_grant")


def test_i15_a_pushed_request_that_comes_late_is_none(later: Later) -> None:
    pushed = later.push()
    later.pass_time(91)
    with later.stranger() as browser:
        query = {"client_id": later.registered("Target"), "request_uri": pushed["request_uri"]}
        assert_page(browser.get("/authorize", params=query))


@pytest.mark.parametrize(
    ("times", "status"),
    [
        pytest.param({"exp": -50}, 200, id="i18-just-over"),
        pytest.param({"exp": -70}, 401, id="i18-over"),
        pytest.param({"nbf": 50}, 200, id="i18-soon"),
        pytest.param({"nbf": 80}, 401, id="i18-not-yet"),
        pytest.param({"iat": 80}, 401, id="i18-of-tomorrow"),
        pytest.param({"exp": 380}, 401, id="d13-too-long"),
    ],
)
def test_clocks_may_differ_by_a_minute(later: Later, times: Mapping[str, int], status: int) -> None:
    client, now = later.holder(KEY), later.surroundings.now()
    changes: dict[str, Any] = {name: int(now) + seconds for name, seconds in times.items()}
    assertion = KEY.assertion(client.id, later.issuer, now, **changes)
    assert later.present(assertion).status_code == status
