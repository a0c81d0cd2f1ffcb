"""Advice for a caller whose token does not allow every tool."""

import re
from collections.abc import Mapping

_SENTENCE = re.compile(r"(?<=[.?;])\s+")


def without_tools(advice: str, withheld: Mapping[str, frozenset[str]]) -> str:
    """The advice without what it says of tools that the caller may not call; `withheld` are those with their scopes."""
    named = [tool for tool in withheld if tool in advice]
    kept = [part for part in _SENTENCE.split(advice) if not any(tool in part for tool in named)]
    if named and not kept:
        scopes = sorted(frozenset[str]().union(*(withheld[tool] for tool in named)))
        return f"This takes {' or '.join(named)}: sign in again and grant {' '.join(scopes)}."
    return re.sub(r";$", ".", " ".join(kept)) if named else advice
