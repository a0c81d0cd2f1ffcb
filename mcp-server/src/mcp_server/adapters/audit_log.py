"""The audit record: who read which tables, who was shown what samples of them hold, and when."""

from collections.abc import Iterable

import structlog

from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import TableUsage, Usage, UsageLog

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
            **_whom(principal),
        )

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """See UsageLog. Nobody was shown anything yet: AuditedDisclosures hears of whoever is."""


class AuditedDisclosures:
    """Disclosures: one line per call that shows sampled values, by the same logger."""

    def values_shown(self, principal: Principal, tables: Iterable[str]) -> None:
        """See Disclosures."""
        _log.info("values_shown", tables=tuple(sorted(tables)), **_whom(principal))


def _whom(principal: Principal) -> dict[str, str]:
    return {
        "tenant": principal.tenant,
        "user_id": principal.subject,
        "client_id": principal.client_id,
        "grant": principal.grant,
    }


class UsageOnBoth:
    """A UsageLog that tells two others."""

    def __init__(self, first: UsageLog, second: UsageLog) -> None:
        self._logs = first, second

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        for log in self._logs:
            log.record(principal, usage)

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """See UsageLog."""
        for log in self._logs:
            log.record_sample(principal, taken)
