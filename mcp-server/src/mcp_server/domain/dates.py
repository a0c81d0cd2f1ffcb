"""The one spelling of a calendar date, `YYYY-MM-DD`, in which text and DATE stand for each other."""

import re
from datetime import date

_SPELLING = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def iso_date(content: object) -> date | None:
    """The date that a text of exactly that form is; None for anything else."""
    if not isinstance(content, str) or not _SPELLING.fullmatch(content):
        return None
    try:
        return date.fromisoformat(content)
    except ValueError:
        return None
