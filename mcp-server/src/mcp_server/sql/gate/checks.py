"""What is looked at in nodes that are allowed: each check is written beside the kind of node that it is of.

The kinds that pass unseen are derived from that, so that no check can be left out of it.
"""

from collections.abc import Callable, Collection
from typing import TypeVar

from sqlglot import exp

Check = tuple[type[exp.Expr], Callable[[exp.Expr, str], None]]
"""A kind of node, and what looks at each of that kind in a statement of that text. It raises Failure."""

_Kind = TypeVar("_Kind", bound=type[exp.Expr])


class Checks:
    """What looks at nodes, by their kinds."""

    def __init__(self, checks: Collection[Check]) -> None:
        self._checks = tuple(checks)
        self._of: dict[type[exp.Expr], tuple[Callable[[exp.Expr, str], None], ...]] = {}

    def unchecked(self, kinds: Collection[_Kind]) -> frozenset[_Kind]:
        """Those of the kinds that nothing looks at."""
        return frozenset(kind for kind in kinds if not self._of_kind(kind))

    def __call__(self, node: exp.Expr, text: str) -> None:
        """Looks at a node. Raises Failure."""
        for check in self._of_kind(type(node)):
            check(node, text)

    def _of_kind(self, kind: type[exp.Expr]) -> tuple[Callable[[exp.Expr, str], None], ...]:
        found = self._of.get(kind)
        if found is None:
            found = tuple(check for checked, check in self._checks if issubclass(kind, checked))
            self._of[kind] = found
        return found
