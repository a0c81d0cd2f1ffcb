"""RFC 6750 parsing and challenges."""

import pytest

from mcp_server.access.bearer import (
    Challenge,
    Denial,
    MalformedCredentials,
    Presented,
    Scheme,
    presented_token,
)
from shared_kernel.dpop import ALGORITHMS

_METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize("value", ["Bearer abc.def-_~+/==", "bearer abc.def-_~+/==", "BEARER   abc.def-_~+/=="])
def test_the_scheme_is_case_insensitive(value: str) -> None:
    assert presented_token([value.encode()], b"") == Presented("abc.def-_~+/==", Scheme.BEARER)


@pytest.mark.parametrize("value", ["DPoP abc.def", "dpop abc.def", "DPOP  abc.def"])
def test_a_holder_of_a_key_has_a_scheme_of_its_own(value: str) -> None:
    """RFC 9449 §7.1."""
    assert presented_token([value.encode()], b"") == Presented("abc.def", Scheme.DPOP)


@pytest.mark.parametrize("values", [[], ["Basic dXNlcjpwdw=="], ["DPoPs abc"], ["Digest username=x"], [""]])
def test_a_request_with_no_bearer_credentials_presents_no_token(values: list[str]) -> None:
    assert presented_token([value.encode("latin-1") for value in values], b"") is None


@pytest.mark.parametrize(
    "values",
    [
        ["Bearer"],
        ["Bearer "],
        ["Bearer a b"],
        ["Bearer a, Bearer b"],
        ["Bearer Bearer a"],
        ["Bearer a;b"],
        ["Bearer =abc"],
        ["Bearer tök"],
        ["Bearer a\x00b"],
        ["Bearer abc", "Bearer abc"],
        ["Bearer abc", "Basic abc"],
        ["Basic abc", "Bearer abc"],
        ["DPoP abc", "Bearer abc"],
        ["DPoP abc", "DPoP abc"],
        ["DPoP"],
        ["DPoP a b"],
    ],
    ids=repr,
)
def test_f14_malformed_and_repeated_credentials_are_refused(values: list[str]) -> None:
    with pytest.raises(MalformedCredentials):
        presented_token([value.encode("latin-1") for value in values], b"")


@pytest.mark.parametrize(
    "query",
    ["access_token=abc", "x=1&access_token=abc", "access_token", "access%5Ftoken=abc", "&".join(["x=%31"] * 100)],
)
@pytest.mark.parametrize("values", [[], ["Bearer abc"]])
def test_f13_a_token_in_the_query_is_refused_whatever_the_header_says(query: str, values: list[str]) -> None:
    with pytest.raises(MalformedCredentials):
        presented_token([value.encode() for value in values], query.encode())


def test_other_query_parameters_are_let_be() -> None:
    assert presented_token([b"Bearer abc"], b"my_access_token=1&x=%20") == Presented("abc", Scheme.BEARER)


def test_a_challenge_without_a_token_names_scopes_and_metadata_but_no_error() -> None:
    headers = Challenge(Denial.NO_TOKEN, frozenset({"query", "schemas:read"}), _METADATA).headers
    assert headers == [f'Bearer scope="schemas:read query", resource_metadata="{_METADATA}"']


def test_a_step_up_challenge_names_every_scope_and_says_so_to_people() -> None:
    (header,) = Challenge(Denial.INSUFFICIENT_SCOPE, frozenset({"query", "schemas:read"}), _METADATA).headers
    assert header == (
        'Bearer error="insufficient_scope", error_description="This operation needs an access token with more scopes. '
        f'Needed: schemas:read query", scope="schemas:read query", resource_metadata="{_METADATA}"'
    )


def test_the_holder_of_a_key_is_challenged_in_its_own_scheme() -> None:
    """RFC 9449 §7.1: `error`, and `algs` for the next proof."""
    challenge = Challenge(Denial.INVALID_PROOF, frozenset({"query"}), _METADATA, Scheme.DPOP, "It is too old.")
    assert challenge.headers == [
        'DPoP error="invalid_dpop_proof", error_description="It is too old.", scope="query", '
        f'resource_metadata="{_METADATA}", algs="{" ".join(ALGORITHMS)}"'
    ]


def test_bearers_are_told_of_no_bearer_where_none_is_taken() -> None:
    (header,) = Challenge(Denial.NO_TOKEN, frozenset({"query"}), _METADATA, is_dpop_required=True).headers
    assert header.startswith('DPoP scope="query", resource_metadata=')
    assert header.endswith(f'algs="{" ".join(ALGORITHMS)}"')
