"""What is said of a failure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """`message` says what happened, `next_action` what to do about it; both are shown to the model."""

    message: str
    next_action: str


def listed(names: Iterable[str]) -> str:
    """Names in double quotes, with commas between them."""
    return ", ".join(f'"{name}"' for name in names)


def did_you_mean(names: Iterable[str]) -> str:
    """The question whether one of these is meant."""
    return f"Did you mean {' or '.join(names)}?"
