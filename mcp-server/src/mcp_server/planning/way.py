"""A way to read, as it is weighed against others."""

from collections.abc import Callable
from dataclasses import dataclass

from mcp_server.planning.key_paths import Rank
from mcp_server.planning.path_estimates import Rejected
from mcp_server.planning.plan import Access, Estimate, Read


@dataclass(frozen=True, slots=True)
class Way:
    """A way to read: only of the chosen one `read` makes requests. `ordered` ones suit pages.

    `rejected` are the ways through indexes that are not open to the relation.
    """

    access: Access
    index: str | None
    rank: Rank
    estimate: Estimate
    read: Callable[[], Read]
    ordered: bool = False
    rejected: tuple[Rejected, ...] = ()
