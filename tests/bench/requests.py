"""Prepared requests, and the callers that send them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.bench.load import Answer, WrongAnswer

FORM = "application/x-www-form-urlencoded"


def get(port: int, path: str) -> bytes:
    """A GET as it goes over the wire."""
    return _request(port, "GET", path, {"Accept": "application/json"}, b"")


def post_form(port: int, path: str, form: Mapping[str, str], **headers: str) -> bytes:
    """A form POST as it goes over the wire."""
    return post(port, path, urlencode(form).encode(), {"Content-Type": FORM} | headers)


def post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A POST as it goes over the wire."""
    return _request(port, "POST", path, {**headers, "Content-Length": str(len(body))}, body)


def _request(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{port}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Repeat:
    """Sends the same request again and again. Every answer must be a 200 that contains `expected`."""

    prepared: bytes
    expected: bytes

    def request(self) -> bytes:
        """The request."""
        return self.prepared

    def check(self, answer: Answer) -> None:
        """A 200 with the expected content. Raises WrongAnswer."""
        if answer.status != 200 or self.expected not in answer.body:
            raise WrongAnswer(answer)


@dataclass(slots=True)
class Chain:
    """Rotates one refresh token, answer by answer; its state survives from one pass to the next."""

    port: int
    path: str
    client_id: str
    refresh_token: str
    used: int = 0

    def request(self) -> bytes:
        """The refresh of the newest token."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": self.client_id}
        return post_form(self.port, self.path, form)

    def check(self, answer: Answer) -> None:
        """An access token, and a refresh token that is another one. Raises WrongAnswer."""
        if answer.status != 200:
            raise WrongAnswer(answer)
        document = json.loads(answer.body)
        successor = document["refresh_token"]
        if successor == self.refresh_token or document["token_type"] != "Bearer":
            raise WrongAnswer(answer)
        self.refresh_token, self.used = successor, self.used + 1


@dataclass(slots=True)
class Supply:
    """Sends each of a list of requests once; several callers share one. Every answer must hold an access token."""

    prepared: list[bytes] = field(default_factory=list)

    def request(self) -> bytes | None:
        """One of the requests that are left."""
        return self.prepared.pop() if self.prepared else None

    def check(self, answer: Answer) -> None:
        """A 200 with an access token. Raises WrongAnswer."""
        if answer.status != 200 or b'"access_token":"ey' not in answer.body:
            raise WrongAnswer(answer)
