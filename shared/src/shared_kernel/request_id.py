"""Ids of requests: they tell when the request came, so that what was noted of it is found without an index."""

import re

from shared_kernel.entropy import Entropy

_FORM = re.compile(r"([0-9a-f]{8})-[A-Za-z0-9_-]{12}")
_RANDOM_BITS = 72


def new_request_id(now: float, entropy: Entropy) -> str:
    """A fresh id for a request that comes now: the second, in hexadecimal, and 72 random bits."""
    return f"{int(now):08x}-{entropy.token(_RANDOM_BITS)}"


def request_time(text: str) -> float | None:
    """The second in which the request of that id came; None if it is no such id."""
    found = _FORM.fullmatch(text)
    return float(int(found[1], 16)) if found else None
