"""Usage as log lines."""

import structlog

from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import Usage, UsageLog

_log = structlog.get_logger("usage")


class LoggedUsage:
    """A UsageLog: one line per statement, which tells who read which tables, and when."""

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        _log.info(
            "statement_ran",
            statement=usage.statement,
            tables=usage.tables,
            items_read=usage.items,
            pages_read=usage.pages,
            bytes_read=usage.bytes,
            read_units=round(usage.read_units, 1),
            plan_ms=round(usage.planning_seconds * 1000, 1),
            exec_ms=round(usage.running_seconds * 1000, 1),
            tenant=principal.tenant,
            user_id=principal.subject,
            client_id=principal.client_id,
            grant=principal.grant,
        )


class UsageOnBoth:
    """A UsageLog that tells two others."""

    def __init__(self, first: UsageLog, second: UsageLog) -> None:
        self._logs = first, second

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        for log in self._logs:
            log.record(principal, usage)
