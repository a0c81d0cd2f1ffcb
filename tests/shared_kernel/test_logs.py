"""Redaction is the last line of defence, so it is tried with what must never be logged in the first place."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel.logs import REDACTED, redact

JWT = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRETS = [
    JWT,
    "ac_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "rt_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "cs_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "ses_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "brw_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "txn_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "text", ["{}", "before {} after", "old_{}", "token={}&state=1", '{{"t": "{}"}}', "[{}]", "'{}'"]
)
def test_a_secret_is_cut_out_wherever_it_stands(secret: str, text: str) -> None:
    assert secret not in redact(text.format(secret))
    assert REDACTED in redact(text.format(secret))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
        "Basic Y2xpZW50OmZpc2hGaXNoRmlzaA==",
        "grant_type=password&password=fishFishFish",
        "client_secret=fishFishFish&x=1",
        "/callback?code=fishFishFish&iss=https%3A%2F%2Fa",
        "code_verifier=fishFishFish",
        '{"refresh_token": "fishFishFish"}',
    ],
)
def test_a_secret_without_a_known_form_is_cut_out_by_what_stands_before_it(text: str) -> None:
    redacted = redact(text)
    assert "fishFishFish" not in redacted
    assert "h5dq3b8y" not in redacted
    assert "Y2xpZW50" not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "request",
        "/token",
        "start_of_a_perfectly_ordinary_name",
        "grant_9Yx3",
        "usr_4Zq1mX0aR7c",
        "unicode=yes",
        'Bearer error="invalid_token"',
        "basic setting",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name", ["password", "Authorization", "client_secret", "code", "code_verifier", "refresh_token", "cookie", "state"]
)
def test_a_field_with_a_secrets_name_is_cut_out_whatever_it_holds(name: str) -> None:
    assert redact({"request": {name: ["fish", 1]}, "n": 1}) == {"request": {name: REDACTED}, "n": 1}


class _Opaque:
    def __repr__(self) -> str:
        return f"<holding {JWT}>"


_HOLDERS = st.sampled_from(SECRETS).flatmap(
    lambda secret: st.recursive(
        st.sampled_from([secret, secret.encode(), f"x {secret}", _Opaque(), ValueError(secret)]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.sampled_from(["a", "b", secret]), inner, max_size=3)
        ),
        max_leaves=5,
    )
)


@given(_HOLDERS)
def test_no_value_that_holds_a_secret_shows_it_when_it_is_written(value: Any) -> None:
    """What the JSON renderer cannot write it writes as repr(), so the repr must be clean as well."""
    line = json.dumps(redact(value), default=repr)
    assert not any(secret in line for secret in SECRETS)


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False))
def test_numbers_stay_numbers(value: Any) -> None:
    assert redact(value) == value
    assert type(redact(value)) is type(value)


_PROGRAM = """
import logging, structlog
from shared_kernel import logs
logs.configure("example", "DEBUG")
token = {token!r}
log = structlog.get_logger("own")
log.info("minted", access_token="fishFishFish", note=f"for {{token}}", raw=token.encode(), detail={{"l": [token]}})
try:
    raise ValueError(f"cannot read {{token}}")
except ValueError:
    log.exception("failed")
    logging.getLogger("foreign").exception("failed on %s", token)
logging.getLogger("authlib").debug("token response %s", "fishFishFish")
logging.getLogger("foreign").warning("extra", extra={{"password": "fishFishFish", "body": {{"code": "fishFishFish"}}}})
logging.getLogger("foreign").warning("two\\nlines")
"""


def test_every_line_is_one_redacted_json_object_whoever_logs() -> None:
    """In a process of its own, as in the services: logging is configured once for the whole process."""
    program = _PROGRAM.format(token=JWT)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout == ""
    events = [json.loads(line) for line in run.stderr.splitlines()]
    assert [event["event"] for event in events] == ["minted", "failed", f"failed on {REDACTED}", "extra", "two\nlines"]
    assert {event["service"] for event in events} == {"example"}
    assert {event["logger"] for event in events} == {"own", "foreign"}
    assert all({"level", "timestamp"} <= event.keys() for event in events)
    assert "ValueError: cannot read" in events[1]["exception"]
    assert not any(part in run.stderr for part in [*JWT.split("."), "fishFishFish"])


_FETCHES = """
import http.server, threading, httpx2
from shared_kernel import logs
logs.configure("example", "DEBUG")
class Nothing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
with http.server.HTTPServer(("127.0.0.1", 0), Nothing) as server:
    threading.Thread(target=server.handle_request).start()
    print(httpx2.get(f"http://127.0.0.1:{server.server_address[1]}/keys", trust_env=False).status_code)
"""


def test_the_http_client_does_not_log_its_requests() -> None:
    """A service reports its own events; `HTTP Request: GET ...` names addresses and says nothing to an operator."""
    run = subprocess.run([sys.executable, "-c", _FETCHES], capture_output=True, text=True, check=True, timeout=30)
    assert (run.stdout, run.stderr) == ("204\n", "")
