"""A caller's own texts stand in what a rule allows, and reach nobody else's rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.domain.row_values import CLIENT, SUBJECT, TENANT, BadRowValue, row_value

ANN = {SUBJECT: "usr_ann", TENANT: "acme", CLIENT: "cli"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("", ""),
        ("EU", "EU"),
        ("$subject", "usr_ann"),
        ("USER#$subject", "USER#usr_ann"),
        ("$tenant#$subject#PROFILE", "acme#usr_ann#PROFILE"),
        ("$tenant/$client_id", "acme/cli"),
        ("$$subject", "$subject"),
        ("costs $$5", "costs $5"),
        ("$$$subject", "$usr_ann"),
    ],
)
def test_names_stand_for_the_callers_own(written: str, text: str) -> None:
    assert row_value(written).of_caller(ANN) == text


@pytest.mark.parametrize(
    "written",
    ["$", "5 $", "$user", "$subjects", "$Subject", "${subject}", "$tenant$subject", "USER$subject", "u_$subject"],
)
def test_what_could_mean_two_things_is_refused(written: str) -> None:
    with pytest.raises(BadRowValue):
        row_value(written)


@pytest.mark.parametrize(
    ("written", "subject", "text"),
    [
        ("$subject", "a#b/c:d e", "a#b/c:d e"),
        ("USER#$subject", "pool:7d8c", "USER#pool:7d8c"),
        ("USER:$subject", "pool:7d8c", None),
        ("USER#$subject", "a#b", None),
        ("USER#$subject", "a|b", None),
        ("USER#$subject", "a b", None),
        ("USER#$subject", "", None),
        ("USER#$subject", "a\n", None),
    ],
)
def test_a_text_that_could_be_taken_for_more_is_put_into_no_other(written: str, subject: str, text: str | None) -> None:
    assert row_value(written).of_caller({**ANN, SUBJECT: subject}) == text


_CALLER = st.fixed_dictionaries({name: st.text("ab:#|_-", max_size=4) for name in (SUBJECT, TENANT)})
_WRITTEN = st.lists(st.sampled_from([SUBJECT, TENANT, "A", "b"]), min_size=1, max_size=4)


@given(_WRITTEN, st.sampled_from("#:|/"), _CALLER, _CALLER)
def test_no_two_callers_have_one_text(
    parts: list[str], separator: str, one: dict[str, str], other: dict[str, str]
) -> None:
    value = row_value(separator.join(parts))
    text = value.of_caller(one)
    if text is not None and text == value.of_caller(other):
        assert all(one[name] == other[name] for name in value.names)
