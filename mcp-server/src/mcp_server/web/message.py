"""Reads the JSON-RPC message in a POST body, so that the body decides what is authorized, never a header.

The reading is strict where two JSON readers could disagree: one object, no repeated names, no NaN, UTF-8 only. Nobody
reads the body again: what is authorized is what is served.
"""

from dataclasses import dataclass
from typing import Any

from shared_kernel import strict_json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
_TARGETS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_REFERENCES = {"ref/prompt": "name", "ref/resource": "uri"}


class InvalidMessage(Exception):
    """The body is not one JSON-RPC message; `code` is JSON-RPC's, the text can be shown."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and what decides about its authorization: the method, and the name or URI of what it is about.

    A client's answer to a question of ours has neither.
    """

    method: str
    target: str
    document: dict[str, Any]


def parse(body: bytes) -> Message:
    """The message in a body. Raises InvalidMessage."""
    try:
        document = strict_json.parse(body)
    except strict_json.Unreadable as error:
        if error.defect is strict_json.Defect.REPEATED_NAME:
            text = "Invalid request: a name is repeated within a JSON object"
            raise InvalidMessage(INVALID_REQUEST, text) from error
        raise InvalidMessage(PARSE_ERROR, "Parse error: the body must be JSON in UTF-8") from error
    if isinstance(document, list):
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: batches are not supported, send one message per POST")
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: the body must be one JSON-RPC 2.0 object")
    method = document.get("method")
    # MCP, Messages: "Requests MUST include a string or integer ID. [...] the ID MUST NOT be null"; the SDK would take a
    # request with any other for a notification, and never answer it.
    if "id" in document and not _is_id(document["id"]):
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: the id must be a string or a 64-bit integer")
    if "method" not in document and "id" in document and ("result" in document) != ("error" in document):
        return Message(method="", target="", document=document)
    if not isinstance(method, str):
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: the body must be a request or a notification")
    return Message(method=method, target=_target(method, document.get("params")), document=document)


def error_document(code: int, message: str) -> dict[str, Any]:
    """A JSON-RPC error reply to a message whose id is not known."""
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


def _target(method: str, params: Any) -> str:
    """The name or URI of the tool, prompt, resource or template in question; empty where there is none."""
    field = _TARGETS.get(method)
    if method == "completion/complete" and isinstance(params, dict):
        params = params.get("ref")
        field = _REFERENCES.get(str(params.get("type"))) if isinstance(params, dict) else None
    target = params.get(field) if field is not None and isinstance(params, dict) else None
    return target if isinstance(target, str) else ""


def _is_id(value: object) -> bool:
    return type(value) is str or (type(value) is int and -(2**63) <= value < 2**63)
