"""The audit record: who read which tables, and when."""

import structlog

from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import Usage, UsageLog

_log = structlog.get_logger("audit")


class AuditedUsage:
    """A UsageLog: one line per statement that read anything, by a logger of its own, so that it can be kept apart."""

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        if not usage.reads or usage.rest:  # of the rest nobody was shown anything
            return
        _log.info(
            "tables_read",
            tables=tuple([f"{read.schema}.{read.table}" for read in usage.reads]),
            statement=usage.statement,
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
