"""The response policy: every reason has its row, and no row says more than it should."""

import pytest

from auth_server.domain.failures import WIRE, Reason


def test_every_reason_has_a_row() -> None:
    assert set(WIRE) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_texts_are_what_rfc_6749_allows(reason: Reason) -> None:
    """RFC 6749 §5.2: the characters of error and error_description."""
    for text in (WIRE[reason].error, WIRE[reason].description):
        assert all(" " <= char <= "~" and char not in '"\\' for char in text)


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
