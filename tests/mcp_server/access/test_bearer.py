"""RFC 6750 parsing and challenges."""

import pytest

from mcp_server.access.bearer import Challenge, Denial, MalformedCredentials, needed_scopes, presented_token

_METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
_TOOLS = {"run_sql": frozenset({"query"}), "list_tables": frozenset({"schemas:read"})}


@pytest.mark.parametrize("value", ["Bearer abc.def-_~+/==", "bearer abc.def-_~+/==", "BEARER   abc.def-_~+/=="])
def test_the_scheme_is_case_insensitive(value: str) -> None:
    assert presented_token([value], "") == "abc.def-_~+/=="


@pytest.mark.parametrize("values", [[], ["Basic dXNlcjpwdw=="], ["DPoP abc"], ["Digest username=x"], [""]])
def test_a_request_with_no_bearer_credentials_presents_no_token(values: list[str]) -> None:
    assert presented_token(values, "") is None


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
    ],
    ids=repr,
)
def test_f14_malformed_and_repeated_credentials_are_refused(values: list[str]) -> None:
    with pytest.raises(MalformedCredentials):
        presented_token(values, "")


@pytest.mark.parametrize(
    "query",
    ["access_token=abc", "x=1&access_token=abc", "access_token", "access%5Ftoken=abc", "&".join(["x=%31"] * 100)],
)
@pytest.mark.parametrize("values", [[], ["Bearer abc"]])
def test_f13_a_token_in_the_query_is_refused_whatever_the_header_says(query: str, values: list[str]) -> None:
    with pytest.raises(MalformedCredentials):
        presented_token(values, query)


def test_other_query_parameters_are_let_be() -> None:
    assert presented_token(["Bearer abc"], "my_access_token=1&x=%20") == "abc"


def test_a_challenge_without_a_token_names_scopes_and_metadata_but_no_error() -> None:
    header = Challenge(Denial.NO_TOKEN, frozenset({"query", "schemas:read"}), _METADATA).header
    assert header == f'Bearer scope="schemas:read query", resource_metadata="{_METADATA}"'


def test_a_step_up_challenge_names_every_scope_and_says_so_to_people() -> None:
    header = Challenge(Denial.INSUFFICIENT_SCOPE, frozenset({"query", "schemas:read"}), _METADATA).header
    assert header == (
        'Bearer error="insufficient_scope", error_description="This operation needs an access token with more scopes. '
        f'Needed: schemas:read query", scope="schemas:read query", resource_metadata="{_METADATA}"'
    )


@pytest.mark.parametrize(
    ("method", "tool", "needed"),
    [
        ("tools/call", "run_sql", {"query"}),
        ("tools/call", "list_tables", {"schemas:read"}),
        ("tools/call", "no_such_tool", set()),
        ("tools/call", None, set()),
        ("tools/list", "run_sql", set()),
        ("initialize", None, set()),
    ],
)
def test_only_a_tools_call_needs_scopes(method: str, tool: str | None, needed: set[str]) -> None:
    assert needed_scopes(method, tool, _TOOLS) == needed
