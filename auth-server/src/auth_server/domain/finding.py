"""What an examination of a deployment finds: a closed set of checks, and one verdict for each thing looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """Everything that is looked at."""

    REACHABLE = "reachable"
    TLS = "tls"
    PLAIN_HTTP = "plain-http"
    REDIRECT = "redirect"
    METADATA = "metadata"
    ISSUER = "issuer"
    ENDPOINTS = "endpoints"
    KEY_SET = "key-set"
    REVOCATIONS = "revocations"
    CORS = "cors"
    CLOCK = "clock"
    PAGES = "pages"
    TOKEN_ERRORS = "token-errors"
    PROTECTED_RESOURCE = "protected-resource"
    CHALLENGE = "challenge"


class Verdict(StrEnum):
    """How it stands: a fault breaks clients or safety, a warning will or may."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the outcome. `remedy` is one sentence, for whatever is not ok."""

    check: Check
    verdict: Verdict
    url: str
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class At:
    """Where a check looks; makes its findings."""

    check: Check
    url: str

    def ok(self, text: str) -> Finding:
        """It is as it should be."""
        return Finding(self.check, Verdict.OK, self.url, text)

    def warning(self, text: str, remedy: str) -> Finding:
        """It works, today and with most clients."""
        return Finding(self.check, Verdict.WARNING, self.url, text, remedy)

    def fault(self, text: str, remedy: str) -> Finding:
        """It breaks clients, or safety."""
        return Finding(self.check, Verdict.FAULT, self.url, text, remedy)
