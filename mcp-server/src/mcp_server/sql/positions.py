"""Where in the text something stands."""

from sqlglot import exp

from mcp_server.domain.failures import Position


def position_at(text: str, offset: int) -> Position:
    """The place of the character at `offset`, counted from 0."""
    before = text[:offset]
    return Position(line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1)


def position_of(text: str, node: exp.Expr) -> Position | None:
    """Where a syntax node starts, as far as the parser kept that; else where its first named part stands."""
    starts = [start for part in node.walk() if isinstance(start := part.meta.get("start"), int)]
    return position_at(text, min(starts)) if starts else None
