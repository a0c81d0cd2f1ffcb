"""What mcp-server counts: events that docs/logs.md lists, and what is too frequent for that (ports/tally.py).

docs/metrics.md says what each metric is.
"""

from collections.abc import Callable, Sequence
from typing import get_args

from mcp_server.ports.tally import Cache, SamplePayer, Share
from shared_kernel.metrics import (
    Counted,
    Counter,
    Definition,
    Gauge,
    Histogram,
    Instrument,
    PathNames,
    Switched,
    Timed,
    method,
)


def definitions(paths: PathNames) -> Sequence[Definition]:
    """Every metric that is made of events."""
    return (
        Counted("mcp_log_events", "Events logged."),
        Counted(
            "mcp_http_requests",
            "HTTP requests answered.",
            ["request"],
            {"method": method, "path": paths, "status": "status"},
        ),
        Timed(
            "mcp_http_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["request"],
            "ms",
            {"path": paths},
        ),
        Counted(
            "mcp_requests_denied",
            "Requests refused before a tool saw them.",
            ["request_denied"],
            {"reason": "reason", "status": "status"},
        ),
        Counted("mcp_tool_calls", "Calls of tools.", ["tool_call"], {"tool": "tool", "outcome": "outcome"}),
        Timed("mcp_tool_call_seconds", "Time that a tool took.", ["tool_call"], "ms", {"tool": "tool"}),
        Counted("mcp_statements", "Statements planned or run.", ["tool_call"], having="plan_ms"),
        Timed("mcp_planning_seconds", "Time that planning took.", ["tool_call"], "plan_ms"),
        Timed("mcp_running_seconds", "Time that reading and evaluation took.", ["tool_call"], "exec_ms"),
        Counted("mcp_items_read", "Items that DynamoDB returned.", ["tool_call"], amount="items_read"),
        Counted("mcp_pages_read", "Responses of DynamoDB that were read.", ["tool_call"], amount="pages_read"),
        Counted("mcp_bytes_read", "Bytes of DynamoDB's responses.", ["tool_call"], amount="bytes_read"),
        Counted("mcp_read_units", "Read units that DynamoDB counted.", ["tool_call"], amount="read_units"),
        Counted(
            "mcp_dynamodb_failures",
            "Requests to DynamoDB that failed.",
            ["dynamodb_refused", "dynamodb_unavailable", "dynamodb_too_slow", "role_not_assumed"],
            {"outcome": "event"},
        ),
        Counted("mcp_duckdb_children_started", "Query processes that started.", ["duckdb_child_started"]),
        Counted("mcp_duckdb_children_ended", "Query processes that ended.", ["duckdb_child_ended"], _REASON),
        Counted("mcp_planning_children_lost", "Planning processes that ended unasked.", ["planning_child_lost"]),
        Counted("mcp_jwks_failures", "Fetches of the issuer's keys that failed.", ["jwks_fetch_failed"]),
        Switched(
            "mcp_redis_away", "1 while the Redis that replicas share does not answer.", ["redis_away"], ["redis_back"]
        ),
        Switched(
            "mcp_revocations_silent",
            "1 while nothing is heard of the issuer's revocations.",
            ["revocations_silent"],
            ["revocations_heard"],
        ),
    )


_REASON = {"reason": "reason"}


def gauges(working: Callable[[], float]) -> Sequence[Gauge]:
    """What is looked at of the HTTP requests when it is asked for."""
    return (Gauge("mcp_http_requests_in_flight", "HTTP requests that are being worked on.", working),)


class MeteredTally:
    """See Tally. For one thread, the event loop's."""

    def __init__(self) -> None:
        self._sent = Counter(
            "mcp_dynamodb_requests", "Requests sent to DynamoDB, repeated ones included.", ("operation",)
        )
        self._answered = Histogram(
            "mcp_dynamodb_request_seconds", "Time from a request to DynamoDB to the end of its answer.", ("operation",)
        )
        self._throttled = Counter("mcp_dynamodb_throttles", "Requests that DynamoDB refused for want of capacity.")
        self._sought = Counter(
            "mcp_role_requests", "Requests sent to STS for the credentials of roles, repeated ones included."
        )
        self._lending = Histogram(
            "mcp_role_request_seconds", "Time from a request to STS for a role's credentials to the end of its answer."
        )
        self._cut = Counter("mcp_dynamodb_batches_cut", "Answers of DynamoDB that left out keys of a batch.")
        self._sample_responses = Counter(
            "mcp_sample_responses", "Responses of DynamoDB to samples of tables.", ("payer",)
        )
        self._sample_items = Counter("mcp_sample_items", "Items that samples of tables returned.", ("payer",))
        self._sample_read_units = Counter(
            "mcp_sample_read_units", "Read units that samples of tables took.", ("payer",)
        )
        self._admitted = Histogram("mcp_queue_wait_seconds", "Time that a query waited for its turn before it ran.")
        self._refused = Counter(
            "mcp_queries_refused", "Queries that did not get a turn, by whose share was used up.", ("share",)
        )
        self._lent = Histogram("mcp_duckdb_child_wait_seconds", "Time that a statement waited for a query process.")
        self._asked = Counter("mcp_cache_lookups", "Lookups in a cache.", ("cache", "result"))
        # There with 0 from the start: a rate misses the step from nothing to 1.
        for payer in get_args(SamplePayer):
            for counter in (self._sample_responses, self._sample_items, self._sample_read_units):
                counter.add(payer, amount=0)
        for share in get_args(Share):
            self._refused.add(share, amount=0)
        for cache in get_args(Cache):
            for result in ("hit", "miss"):
                self._asked.add(cache, result, amount=0)

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What it counts in."""
        return (
            self._sent,
            self._answered,
            self._throttled,
            self._cut,
            self._sought,
            self._lending,
            self._sample_responses,
            self._sample_items,
            self._sample_read_units,
            self._admitted,
            self._refused,
            self._lent,
            self._asked,
        )

    def request_sent(self, operation: str) -> None:
        """See Tally."""
        self._sent.add(operation)

    def request_answered(self, operation: str, seconds: float) -> None:
        """See Tally."""
        self._answered.add(seconds, operation)

    def request_throttled(self) -> None:
        """See Tally."""
        self._throttled.add()

    def role_sought(self) -> None:
        """See Tally."""
        self._sought.add()

    def role_answered(self, seconds: float) -> None:
        """See Tally."""
        self._lending.add(seconds)

    def batch_cut(self) -> None:
        """See Tally."""
        self._cut.add()

    def sampled(self, payer: SamplePayer, items: int, read_units: float) -> None:
        """See Tally."""
        self._sample_responses.add(payer)
        self._sample_items.add(payer, amount=items)
        self._sample_read_units.add(payer, amount=read_units)

    def query_admitted(self, waited_seconds: float) -> None:
        """See Tally."""
        self._admitted.add(waited_seconds)

    def query_refused(self, share: Share) -> None:
        """See Tally."""
        self._refused.add(share)

    def child_lent(self, waited_seconds: float) -> None:
        """See Tally."""
        self._lent.add(waited_seconds)

    def cache_asked(self, cache: Cache, *, hit: bool) -> None:
        """See Tally."""
        self._asked.add(cache, "hit" if hit else "miss")
