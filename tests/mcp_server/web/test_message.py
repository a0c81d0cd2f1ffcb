"""The guard's own reading of a POST body."""

import json

import pytest

from mcp_server.web.message import INVALID_REQUEST, PARSE_ERROR, InvalidMessage, parse


@pytest.mark.parametrize(
    ("body", "method", "target"),
    [
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run_sql"}}',
            "tools/call",
            "run_sql",
        ),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/\\u0063all","params":{"name":"a"}}', "tools/call", "a"),
        (b'{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a"}}', "prompts/get", "a"),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"u","name":"a"}}', "resources/read", "u"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"completion/complete",'
            b'"params":{"ref":{"type":"ref/prompt","name":"a","uri":"u"}}}',
            "completion/complete",
            "a",
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"completion/complete",'
            b'"params":{"ref":{"type":"ref/resource","name":"a","uri":"u"}}}',
            "completion/complete",
            "u",
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"a"}}}',
            "completion/complete",
            "",
        ),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"a"}}', "tools/list", ""),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', "tools/call", ""),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["run_sql"]}', "tools/call", ""),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"x":"\\ud83d\\ude00"}}', "ping", ""),
        (b'{"jsonrpc":"2.0","method":"notifications/initialized"}', "notifications/initialized", ""),
        (b'{"jsonrpc":"2.0","id":"q","result":{}}', "", ""),
        (b'{"jsonrpc":"2.0","id":"q","error":{"code":1,"message":"no"}}', "", ""),
    ],
)
def test_method_and_target_come_from_the_body(body: bytes, method: str, target: str) -> None:
    message = parse(body)
    assert (message.method, message.target) == (method, target)
    assert message.document == json.loads(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b"\xff\xfe{\x00}\x00", PARSE_ERROR),
        ('{"jsonrpc":"2.0","method":"ping"}'.encode("utf-16"), PARSE_ERROR),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","method":"ping"}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"x":NaN}}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"x":' + b"9" * 5000 + b"}}", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"x":"\\ud800"}}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"\\udfff":1}}', PARSE_ERROR),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"} {"jsonrpc":"2.0","id":1,"method":"tools/call"}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","result":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"result":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', INVALID_REQUEST),
        (b'"ping"', INVALID_REQUEST),
        (b"null", INVALID_REQUEST),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_whatever_is_not_one_unambiguous_message_is_refused(body: bytes, code: int) -> None:
    with pytest.raises(InvalidMessage) as refused:
        parse(body)
    assert refused.value.code == code
