"""Signs requests to DynamoDB: AWS Signature Version 4 of a POST without a query, with the same headers each time.

botocore signs any request of any service: it builds and sorts its headers anew and derives the key from the secret once
for each request, which takes longer than all else that this service does for a point read. Each signer is compared with
botocore before it is used (`routes`).
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Protocol

_ALGORITHM = "AWS4-HMAC-SHA256"
_TERMINATION = "aws4_request"

TIMESTAMP = "%Y%m%dT%H%M%SZ"
"""The format of the header `X-Amz-Date`."""


class Credentials(Protocol):
    """botocore's ReadOnlyCredentials, as they are at one time."""

    access_key: str
    secret_key: str
    token: str | None
    account_id: str | None


class Signer:
    """Signs requests to one path of one host.

    `headers` are those that every request has, by lower-case name; `path` is in canonical form.
    """

    def __init__(self, headers: Mapping[str, str], path: str, region: str, service: str) -> None:
        self._headers, self._path = dict(headers), path
        self._region, self._service = region, service
        self._key: tuple[str, str, bytes] = ("", "", b"")

    def sign(self, body: bytes, credentials: Credentials, now: datetime) -> dict[str, str]:
        """The headers that say when a request was signed, by whom, and the signature. `now` is in UTC."""
        timestamp = now.strftime(TIMESTAMP)
        scope = f"{timestamp[:8]}/{self._region}/{self._service}/{_TERMINATION}"
        added = {"x-amz-date": timestamp}
        if credentials.token:
            added["x-amz-security-token"] = credentials.token
        # Signature Version 4, canonical request: "The CanonicalHeaders list [...] Individual header name and value
        # pairs are separated by the newline character [...] must appear in alphabetical order."
        # "convert sequential spaces to a single space": no other header of ours can have more, or some around it.
        trimmed = {name: " ".join(value.split()) for name, value in added.items()}
        lines = [f"{name}:{value}" for name, value in sorted({**self._headers, **trimmed}.items())]
        names = ";".join(sorted((*self._headers, *added)))
        canonical = "\n".join(("POST", self._path, "", *lines, "", names, sha256(body).hexdigest()))
        text = "\n".join((_ALGORITHM, timestamp, scope, sha256(canonical.encode()).hexdigest()))
        signature = hmac.digest(self._signing_key(credentials.secret_key, timestamp[:8]), text.encode(), "sha256").hex()
        authorization = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return {**added, "authorization": authorization}

    def _signing_key(self, secret: str, day: str) -> bytes:
        """The key for one day, derived when the day or the secret is another than last time."""
        known_secret, known_day, key = self._key
        if (known_secret, known_day) != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, _TERMINATION):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (secret, day, key)
        return key
