"""Challenges of resource servers, as RFC 9110 §11.6.1 has them."""

import pytest

from auth_server.protocol.challenge import bearer_parameters


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        ('Bearer resource_metadata="https://a/b"', {"resource_metadata": "https://a/b"}),
        (
            'bearer scope="a b", resource_metadata="https://a/b,c"',
            {"scope": "a b", "resource_metadata": "https://a/b,c"},
        ),
        ('Bearer error=invalid_token , Scope = "x"', {"error": "invalid_token", "scope": "x"}),
        (r'Bearer realm="a \"quoted\" name"', {"realm": 'a "quoted" name'}),
        ("Bearer", {}),
        ('Basic realm="x"', None),
        ("", None),
        ("Bearer-like x=1", None),
    ],
)
def test_a_bearer_challenge_is_read(header: str, parameters: dict[str, str] | None) -> None:
    assert bearer_parameters(header) == parameters
