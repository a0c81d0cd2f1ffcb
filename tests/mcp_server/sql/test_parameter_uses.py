"""A parameter that is used twice is, for plans, one for each of its uses."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mcp_server.sql.gate.parse import parse
from mcp_server.sql.parameter_uses import parameter_uses


@pytest.mark.parametrize(
    ("text", "parameters", "apart", "values"),
    [
        ("SELECT a FROM t WHERE b = $1 AND c = $1", ["x"], "SELECT a FROM t WHERE b = $1 AND c = $2", ("x", "x")),
        (
            "SELECT a FROM t WHERE b > $2 AND c = $1 AND d<$2",
            ["x", 5],
            "SELECT a FROM t WHERE b > $1 AND c = $2 AND d<$3",
            (5, "x", 5),
        ),
        (
            "SELECT a FROM t WHERE b>=:low AND c IN (:low,:high) AND é < 1",
            {"low": 1, "high": 7},
            "SELECT a FROM t WHERE b>=$1 AND c IN ($2,$3) AND é < 1",
            (1, 1, 7),
        ),
        (
            "SELECT a,':b' FROM t WHERE b=?1 AND c = '$1' AND \"$1\" = ?1::INT",
            [3],
            "SELECT a,':b' FROM t WHERE b=$1 AND c = '$1' AND \"$1\" = $2::INT",
            (3, 3),
        ),
        (
            "SELECT x[1:2],{'k': $k}.k FROM t WHERE b = $k AND c = $K",
            {"k": 1, "K": 2},
            "SELECT x[1:2],{'k': $1}.k FROM t WHERE b = $2 AND c = $3",
            (1, 1, 2),
        ),
    ],
)
def test_each_use_has_a_parameter_of_its_own(
    text: str, parameters: Sequence[Any] | Mapping[str, Any], apart: str, values: tuple[Any, ...]
) -> None:
    uses = parameter_uses(text)
    assert uses is not None
    assert uses.text == apart
    assert uses.values(parameters) == values
    assert parse(uses.text, values).expression == parse(text, parameters).expression


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t",
        "SELECT a FROM t WHERE b = ? AND c = ?",
        "SELECT a FROM t WHERE b = $1 AND c = $2 AND d = '$1'",
    ],
)
def test_of_others_there_is_one_form(text: str) -> None:
    assert parameter_uses(text) is None


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SELECT a FROM t WHERE b = $1 AND c = $1", ["x", "y"]),
        ("SELECT a FROM t WHERE b = $1 AND c = $1", []),
        ("SELECT a FROM t WHERE b = $1 AND c = $1", {"1": "x"}),
        ("SELECT a FROM t WHERE b = $1 AND c = $1", None),
        ("SELECT a FROM t WHERE b = $x AND c = $x", ["x"]),
        ("SELECT a FROM t WHERE b = $x AND c = $x", {"X": "x"}),
    ],
)
def test_parameters_that_do_not_match_stay_for_the_gate(text: str, parameters: Any) -> None:
    uses = parameter_uses(text)
    assert uses is not None
    assert uses.values(parameters) is None
