"""A plan as text for people and models."""

from collections.abc import Sequence

from mcp_server.planning.plan import Read


def render_plan(reads: Sequence[Read]) -> str:
    """The reads of a query as a text tree."""
    raise NotImplementedError
