"""Every refusal has a remedy, and every event a sentence: whoever adds one adds the words for it."""

import re

from auth_server.domain.audit import EventName
from auth_server.domain.failures import Reason
from auth_server.domain.remedies import REMEDIES
from auth_server.flows.administration.story import SENTENCES


def test_every_reason_has_a_remedy() -> None:
    assert set(Reason) - set(REMEDIES) == set(), "add rows to domain/remedies.py"


def test_every_event_has_a_sentence() -> None:
    assert set(EventName) - set(SENTENCES) == set(), "add rows to flows/administration/story.py"


def test_remedies_are_sentences() -> None:
    for reason, remedy in REMEDIES.items():
        for text in (remedy.cause, remedy.text):
            assert re.match(r"[A-Z]|[a-z]+(_[a-z]+)+ |prompt ", text), reason  # or a parameter's name
            assert text.endswith("."), reason
            assert "  " not in text, reason
