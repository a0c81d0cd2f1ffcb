"""What is counted of work that is too frequent to be logged.

Whatever a log line tells of is counted from that line (docs/metrics.md). A request to DynamoDB, a lookup in a cache and
a turn in the queue are parts of a query that takes less than a millisecond in all: a line for each would cost more than
the work. They are told to a Tally instead, which takes about a microsecond, and `app` gives everybody the same one. No
argument holds what a caller chose, so labels made of them have few values.
"""

from typing import Final, Literal, Protocol

Cache = Literal["plans", "tables", "tokens", "results"]
"""Plans of statements, descriptions of tables, verified access tokens, results that wait for their next page."""

Share = Literal["principal", "tenant", "server"]
"""Whose share of the running queries was used up: the caller's own, their tenant's, or the whole."""

SamplePayer = Literal["caller", "service"]
"""Whom a sample of a table is charged to: the caller who needed it, or nobody but the service itself."""


class Tally(Protocol):
    """Counts; it never fails and never waits."""

    def request_sent(self, operation: str) -> None:
        """A request to DynamoDB, repeated ones included; `operation` is DynamoDB's name of it."""
        ...

    def request_answered(self, operation: str, seconds: float) -> None:
        """DynamoDB answered a request, be it with an error, so many seconds after it was signed."""
        ...

    def request_throttled(self) -> None:
        """DynamoDB refused a request for want of capacity."""
        ...

    def role_sought(self) -> None:
        """A request for the credentials of a role was sent to STS, repeated ones included."""
        ...

    def role_answered(self, seconds: float) -> None:
        """STS answered such a request, be it with an error, so many seconds after it was signed."""
        ...

    def batch_cut(self) -> None:
        """DynamoDB left keys out of its answer to BatchGetItem, for want of capacity or because of the items' size."""
        ...

    def sampled(self, payer: SamplePayer, items: int, read_units: float) -> None:
        """A response to a sample of a table."""
        ...

    def query_admitted(self, waited_seconds: float) -> None:
        """A query may run, after so many seconds in the queue."""
        ...

    def query_refused(self, share: Share) -> None:
        """A query may not run, now or after its time in the queue."""
        ...

    def child_lent(self, waited_seconds: float) -> None:
        """A statement has a query process, after so many seconds without one."""
        ...

    def cache_asked(self, cache: Cache, *, hit: bool) -> None:
        """A cache was asked for something that it may hold."""
        ...


class _Untallied:
    """Counts nothing."""

    def request_sent(self, operation: str) -> None: ...

    def request_answered(self, operation: str, seconds: float) -> None: ...

    def request_throttled(self) -> None: ...

    def role_sought(self) -> None: ...

    def role_answered(self, seconds: float) -> None: ...

    def batch_cut(self) -> None: ...

    def sampled(self, payer: SamplePayer, items: int, read_units: float) -> None: ...

    def query_admitted(self, waited_seconds: float) -> None: ...

    def query_refused(self, share: Share) -> None: ...

    def child_lent(self, waited_seconds: float) -> None: ...

    def cache_asked(self, cache: Cache, *, hit: bool) -> None: ...


UNTALLIED: Final[Tally] = _Untallied()
"""Where nobody reads metrics."""
