"""What auth-server counts of the events that docs/logs.md lists; docs/metrics.md says what each metric is."""

from collections.abc import Callable, Sequence

from auth_server.domain.failures import ALARMS
from shared_kernel.metrics import Counted, Definition, Gauge, Histogram, PathNames, Switched, Timed, method


def definitions(paths: PathNames) -> Sequence[Definition]:
    """Every metric that is made of events."""
    return (
        Counted("auth_log_events", "Events logged."),
        Counted(
            "auth_http_requests",
            "HTTP requests answered.",
            ["request"],
            {"method": method, "path": paths, "status": "status"},
        ),
        Timed(
            "auth_http_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["request"],
            "ms",
            {"path": paths},
        ),
        Counted("auth_tokens_issued", "Answers of the token endpoint with tokens.", ["tokens_issued"], _GRANT_TYPE),
        Counted(
            "auth_refusals", "Requests refused, by what was wrong.", ["refused"], {"path": paths, "reason": "reason"}
        ),
        Counted(
            "auth_alarms",
            "Refusals that mean theft or reuse.",
            ["refused", "client_assertion_refused", "identity_assertion_refused"],
            _REASON,
            "alarm",
            # The alert watches for growth, and Prometheus sees none in a series that appears with its first theft.
            from_start=[[reason] for reason in sorted(ALARMS)],
        ),
        Counted(
            "auth_tokens_replayed", "Tokens that came again in time, and got the same answer.", ["tokens_replayed"]
        ),
        Counted(
            "auth_sign_ins",
            "Attempts of people to sign in.",
            ["signed_in", "sign_in_failed", "sign_in_shed", "sign_in_throttled"],
            _OUTCOME,
        ),
        Counted(
            "auth_consents",
            "Decisions of people about clients.",
            ["consent_given", "consent_remembered", "consent_denied"],
            _OUTCOME,
        ),
        Counted("auth_clients_registered", "Clients that registered themselves.", ["client_registered"]),
        Counted(
            "auth_client_documents",
            "Metadata documents of clients that were asked for.",
            ["client_document_read", "client_document_unavailable", "client_document_invalid"],
            _OUTCOME,
        ),
        Counted("auth_grants_revoked", "Grants that clients revoked.", ["grant_revoked"]),
        Counted("auth_store_faults", "Errors that the store answered with.", ["store_fault"]),
        Switched(
            "auth_store_away",
            "1 while the store cannot be used.",
            ["store_away", "store_locked", "store_file_displaced"],
            ["store_back", "store_unlocked", "store_file_back"],
        ),
        Counted("auth_signing_key_rotations", "Rotations of the signing key by its age.", ["signing_key_rotated"]),
        Counted("auth_audit_lost", "Events that the audit trail lost.", ["audit_gap"], amount="count"),
    )


def gauges(working: Callable[[], float], passwords: Callable[[], float]) -> Sequence[Gauge]:
    """What is looked at when it is asked for."""
    return (
        Gauge("auth_http_requests_in_flight", "HTTP requests that are being worked on.", working),
        Gauge("auth_passwords_in_flight", "Passwords that are being verified, or wait for that.", passwords),
    )


def store_seconds() -> Histogram:
    """What each verb of the store takes: too frequent for a line in the log."""
    return Histogram("auth_store_seconds", "Time that a verb of the store took.", ("store", "operation", "outcome"))


_GRANT_TYPE = {"grant_type": "grant_type"}
_REASON = {"reason": "reason"}
_OUTCOME = {"outcome": "event"}
