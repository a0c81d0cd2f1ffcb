"""The response policy: every reason has its row, and no row says more than it should."""

import pytest

from auth_server.domain.failures import WIRE, Reason
from auth_server.flows.answers import refusal_answer


def test_every_reason_has_a_row() -> None:
    assert set(WIRE) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_answers_are_what_rfc_6749_allows(reason: Reason) -> None:
    """RFC 6749 §5.2: the characters of error and error_description, the header with 401, no caching."""
    answer = refusal_answer(reason, 7)
    assert answer.body is not None
    for text in answer.body.values():
        assert all(" " <= char <= "~" and char not in '"\\' for char in text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)
    assert (answer.headers.get("Retry-After") == "7") == (answer.status in (429, 503))


@pytest.mark.parametrize(
    "alike",
    [
        {Reason.UNKNOWN_CLIENT, Reason.CLIENT_NOT_AUTHENTICATED},
        {Reason.CODE_NOT_VALID, Reason.CODE_REUSED, Reason.WRONG_VERIFIER},
        {
            Reason.REFRESH_TOKEN_NOT_VALID,
            Reason.REFRESH_TOKEN_REUSED,
            Reason.REFRESH_TOKEN_STOLEN,
            Reason.REPLAY_DIFFERS,
        },
    ],
)
def test_what_a_prober_must_not_tell_apart(alike: set[Reason]) -> None:
    assert len({WIRE[reason] for reason in alike}) == 1
