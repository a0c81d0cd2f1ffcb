"""A refusal for programs: every reason is answered as the specification wants."""

import json

import pytest
from starlette.requests import Request

from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.web import refusals


@pytest.mark.parametrize("reason", Reason)
def test_answers_are_what_rfc_6749_allows(reason: Reason) -> None:
    """RFC 6749 §5.2: the two members of the document and ours, the header with 401, no caching."""
    answer = refusals.as_json(
        Request({"type": "http", "state": {"request_id": "r"}}), Refused(reason, Facts(retry_after=7))
    )
    document = json.loads(bytes(answer.body))
    assert set(document) == {"error", "error_description", "request_id"}
    assert document["request_id"] == "r"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    assert (answer.headers.get("Retry-After") == "7") == (answer.status_code in (429, 503))
