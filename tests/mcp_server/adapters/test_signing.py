"""Our signatures are those of botocore, for whatever is signed."""

from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.adapters.dynamodb.signing import Signer

TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
TOKENS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
TIMES = st.datetimes(datetime(2015, 8, 30), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants no zone
HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.Query"}
HOST = "dynamodb.eu-west-1.amazonaws.com"


@given(body=st.binary(max_size=200), access=TEXTS, secret=TEXTS, token=st.none() | TOKENS, moment=TIMES)
def test_a_signature_is_botocores(body: bytes, access: str, secret: str, token: str | None, moment: datetime) -> None:
    """Ours: AWS takes no other."""
    credentials = ReadOnlyCredentials(access, secret, token)
    request = AWSRequest("POST", f"https://{HOST}/", HEADERS, body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: moment)
        auth.SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(request)
    signer = Signer({**HEADERS, "host": HOST}, "/", "eu-west-1", "dynamodb")
    signed = signer.sign(body, credentials, moment)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {**HEADERS, **signed} == theirs
    assert signer.sign(body, credentials, moment) == signed, "with the key that it remembers"


def test_another_day_or_secret_has_another_key() -> None:
    """Ours: a key that is remembered counts only for what it was derived from."""
    signer = Signer({"host": HOST}, "/", "eu-west-1", "dynamodb")
    signed = [
        signer.sign(b"{}", ReadOnlyCredentials("a", secret, None), datetime(2026, 1, day, tzinfo=UTC))
        for secret, day in (("s", 1), ("t", 1), ("t", 2), ("s", 1))
    ]
    assert len({one["authorization"] for one in signed}) == 3
    assert signed[0] == signed[3]
