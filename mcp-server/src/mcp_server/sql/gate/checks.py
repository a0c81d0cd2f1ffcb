"""What is looked at in nodes: each check is written beside the kind of node that it is of, so that none is left out."""

from collections.abc import Callable, Iterable

from sqlglot import exp

Look = Callable[[exp.Expr, str], None]
"""What looks at a node in a statement of that text. It raises Failure."""
Check = tuple[type[exp.Expr], Look]
"""A kind of node, and what looks at each of that kind."""


def looks_at(kind: type[exp.Expr], checks: Iterable[Check]) -> tuple[Look, ...]:
    """What looks at nodes of a kind, in the order of the checks."""
    return tuple(look for checked, look in checks if issubclass(kind, checked))
