"""botocore makes a request again after a pause; with these, after a fiftieth of it."""

from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

HASTE = 50


def hasten_retries(patch: pytest.MonkeyPatch) -> None:
    """Requests are made again as often as ever, and after the same answers, but sooner."""
    unhurried = ExponentialBackoff.delay_amount

    def delay_amount(backoff: ExponentialBackoff, context: Any) -> float:
        return float(unhurried(backoff, context)) / HASTE

    patch.setattr(ExponentialBackoff, "delay_amount", delay_amount)
