"""Which texts are dates."""

import pytest

from mcp_server.domain.dates import iso_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29", True),
        ("2023-02-29", False),
        ("0001-01-01", True),
        ("0000-01-01", False),
        ("9999-12-31", True),
        ("2024-1-1", False),
        ("20240101", False),
        ("2024-01-01 ", False),
        ("٢٠٢٤-٠١-٠١", False),
        ("2024-01-01\n", False),
        (20240101, False),
    ],
)
def test_only_one_spelling_is_a_date(text: object, expected: bool) -> None:
    assert (iso_date(text) is not None) is expected
