"""Parameters: one reading for every part of the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import parameters

_PAIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "resource", "ä", ""]) | st.text(max_size=3), st.text(max_size=5))
)


@given(_PAIRS)
def test_nothing_is_read_twice_or_lost(pairs: list[tuple[str, str]]) -> None:
    names = [name for name, _ in pairs if name != "resource"]
    if len(set(names)) < len(names) or any("\ud800" <= char <= "\udfff" for pair in pairs for char in "".join(pair)):
        with pytest.raises(Refused):
            parameters.parse(pairs)
        return
    read = parameters.parse(pairs)
    assert list(read.values.items()) == [(name, value) for name, value in pairs if value and name != "resource"]
    assert list(read.resources) == [value for name, value in pairs if value and name == "resource"]


def test_a23_an_empty_duplicate_is_a_duplicate() -> None:
    with pytest.raises(Refused) as caught:
        parameters.parse([("scope", "query"), ("scope", "")])
    assert caught.value.reason is Reason.DUPLICATE_PARAMETER
    with pytest.raises(Refused):
        parameters.sole([("client_id", "a"), ("client_id", "")], "client_id")


def test_empty_means_absent() -> None:
    read = parameters.parse([("scope", ""), ("resource", "")])
    assert read.get("scope") is None
    assert read.resources == ()
    assert parameters.sole([("client_id", "")], "client_id") is None
