"""Judgements of the doctor that need ports of the machine, or days, to be seen from outside."""

import pytest

from auth_server.domain.finding import Verdict
from auth_server.flows.doctor import endpoints, transport
from auth_server.ports.outside import Answer


def answer(status: int, received_at: float = 0.0, date: float | None = None, **headers: str) -> Answer:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer("http://auth.example.com/x", status, sent, b"", received_at, date)


@pytest.mark.parametrize(
    ("status", "location", "verdict"),
    [
        (301, "https://auth.example.com/x", Verdict.OK),
        (308, "https://auth.example.com/", Verdict.OK),
        (301, "http://auth.example.com/x", Verdict.FAULT),
        (301, "https://elsewhere.example/", Verdict.FAULT),
        (200, "", Verdict.FAULT),
        (404, "", Verdict.FAULT),
    ],
)
def test_plain_http_leads_to_https_or_is_a_fault(status: int, location: str, verdict: Verdict) -> None:
    assert transport.judge_plain_http(answer(status, location=location), "auth.example.com").verdict is verdict


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        (0, Verdict.OK),
        (5, Verdict.OK),
        (-5, Verdict.OK),
        (7, Verdict.WARNING),
        (-60, Verdict.WARNING),
        (62, Verdict.FAULT),
        (-62, Verdict.FAULT),
    ],
)
def test_clocks_may_differ_by_seconds(ahead: float, verdict: Verdict) -> None:
    """A Date is a whole second, and the answer was made somewhere within it."""
    [finding] = transport.judge_clock(answer(200, received_at=1000.5, date=1000 + ahead))
    assert finding.verdict is verdict


def test_being_slowed_down_is_no_fault_of_the_deployment() -> None:
    assert endpoints.judge_token_error(answer(429)).verdict is Verdict.WARNING
