"""What mcp-server counts of the events that docs/logs.md lists; docs/metrics.md says what each metric is."""

from collections.abc import Sequence

from shared_kernel.metrics import Counted, Definition, PathNames, Switched, Timed, method


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
        Counted("mcp_statements", "Statements planned or run.", _STATEMENT),
        Timed("mcp_planning_seconds", "Time that planning took.", _STATEMENT, "plan_ms"),
        Timed("mcp_running_seconds", "Time that reading and evaluation took.", _STATEMENT, "exec_ms"),
        Counted("mcp_items_read", "Items that DynamoDB returned.", _STATEMENT, amount="items_read"),
        Counted("mcp_pages_read", "Responses of DynamoDB that were read.", _STATEMENT, amount="pages_read"),
        Counted("mcp_bytes_read", "Bytes of DynamoDB's responses.", _STATEMENT, amount="bytes_read"),
        Counted("mcp_read_units", "Read units that DynamoDB counted.", _STATEMENT, amount="read_units"),
        Counted(
            "mcp_dynamodb_failures",
            "Requests to DynamoDB that failed.",
            ["dynamodb_refused", "dynamodb_unavailable", "dynamodb_too_slow", "role_not_assumed"],
            {"outcome": "event"},
        ),
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


_STATEMENT = ["statement_ran"]
_REASON = {"reason": "reason"}
