"""Redaction is the last line of defence, so it is tried with what must never be logged in the first place."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel.clock import SystemClock
from shared_kernel.logs import LineFormat
from shared_kernel.redaction import REDACTED, could_hold_secret, redact

JWT = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRETS = [
    JWT,
    "ac_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "rt_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "dc_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "iat_Zm9vYmFy.h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "rat_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "cs_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "ses_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "brw_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
    "txn_h5dq3b8yQ0m1XJ0c2Vjcm5lY2s",
]
LINES = LineFormat("example", SystemClock())


def logged(event: dict[str, Any]) -> dict[str, Any]:
    """What an event's line says."""
    line = LINES.line("own", "info", event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    document: dict[str, Any] = json.loads(line)
    return document


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "text", ["{}", "before {} after", "old_{}", "token={}&state=1", '{{"t": "{}"}}', "[{}]", "'{}'", '\\"{}\\']
)
def test_a_secret_is_cut_out_wherever_it_stands(secret: str, text: str) -> None:
    written = logged({"event": "x", "note": text.format(secret)})["note"]
    assert secret not in written
    assert REDACTED in written


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
        "{'refresh_token': 'fishFishFish'}",
        'said "{\\"code\\": \\"fishFishFish\\"}"',
        "code=fish",
    ],
)
def test_a_secret_without_a_known_form_is_cut_out_by_what_stands_before_it(text: str) -> None:
    written = logged({"event": text})["event"]
    assert "fish" not in written
    assert "h5dq3b8y" not in written
    assert "Y2xpZW50" not in written


@pytest.mark.parametrize(
    "text",
    [
        "request",
        "/token",
        "/.well-known/oauth-authorization-server",
        "start_of_a_perfectly_ordinary_name",
        "grant_9Yx3",
        "usr_4Zq1mX0aR7c",
        "unicode=yes",
        'Bearer error="invalid_token"',
        "basic setting",
        "two\nlines",
        "half \ud800 a pair",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert logged({"event": "x", "note": text})["note"] == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    "name", ["password", "Authorization", "client_secret", "code", "code_verifier", "refresh_token", "cookie", "state"]
)
def test_a_field_with_a_secrets_name_is_cut_out_whatever_it_holds(name: str) -> None:
    for event in ({name.lower(): "fish"}, {"request": {name: ["fish", 1]}}, {name.lower(): 7}):
        written = LINES.line("own", "info", {"event": "x", **event})
        assert b"fish" not in written
        assert b"7" not in written.partition(b'"event"')[2]
        assert REDACTED.encode() in written


class _Opaque:
    def __repr__(self) -> str:
        return f"<holding {JWT}>"


_HOLDERS = st.sampled_from(SECRETS).flatmap(
    lambda secret: st.recursive(
        st.sampled_from([secret, secret.encode(), f"x {secret}", f'"{secret}\\', _Opaque(), ValueError(secret)]),
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
    line = json.dumps(logged({"event": "x", "value": value}))
    assert not any(secret in line for secret in SECRETS)


@given(st.text(max_size=40) | st.sampled_from([*SECRETS, "code=a", "bearer abcdefghijklmnop", "x'code':'abcdef"]))
def test_the_glance_overlooks_nothing_that_the_search_would_find(text: str) -> None:
    line = json.dumps({"note": text}).encode()
    assert could_hold_secret(text) or redact(line) == line


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(value: Any) -> None:
    written = logged({"event": "x", "value": value})["value"]
    assert written == value
    assert type(written) is type(value)


def test_an_error_is_written_with_its_causes_and_without_its_secrets() -> None:
    """So that a line can say why: which fault of the store, which answer of DynamoDB."""
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise RuntimeError(f"cannot store {JWT}") from error
    except RuntimeError as error:
        written = logged({"event": "store_unavailable", "error": error})["error"]
    assert written == f"RuntimeError: cannot store {REDACTED} <- OSError: [Errno 28] No space left on device"


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
logging.getLogger("httpx2").info("HTTP Request: GET https://a/")
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


_LEVELS_PROGRAM = """
import structlog
from shared_kernel import logs
logs.configure("example", "WARNING", kept=("audit",))
for name in ("audit", "own"):
    for level in ("debug", "info", "warning"):
        getattr(structlog.get_logger(name), level)(f"{name} {level}")
"""


def test_what_is_to_be_kept_is_written_at_any_level() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _LEVELS_PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    events = [json.loads(line)["event"] for line in run.stderr.splitlines()]
    assert events == ["audit info", "audit warning", "own warning"]
