"""An STS that lends a role, and a DynamoDB that only the lent credentials may read; both check every signature."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass(slots=True)
class LentRoles:
    """Lends `arn` to those who sign with `own` and say the external id; each time for `seconds`."""

    arn: str
    external_id: str | None
    own: tuple[str, str]
    seconds: int = 3600
    url: str = ""
    asked: int = 0
    """How often STS was asked."""
    connections: int = 0
    read_with: list[str] = field(default_factory=list)
    """The access keys that signed the requests to DynamoDB, in order."""

    def secret(self, access_key: str) -> str | None:
        """The secret of an access key that is known."""
        if access_key == self.own[0]:
            return self.own[1]
        return f"secret of {access_key}" if access_key.startswith("LENT") else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
                body = await reader.readexactly(int(fields["content-length"]))
                status, kind, answer = self._answer(fields, body)
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, fields: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        is_sts = "x-amz-target" not in fields
        signer = self._signer(fields, body, "sts" if is_sts else "dynamodb")
        return self._lend(signer, body) if is_sts else self._read(signer, fields)

    def _lend(self, signer: str | None, body: bytes) -> tuple[int, str, bytes]:
        self.asked += 1
        said = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        wanted = {"Action": "AssumeRole", "RoleArn": self.arn, "RoleSessionName": "dynamosql-mcp-server"}
        wanted |= {"ExternalId": self.external_id} if self.external_id is not None else {}
        said.pop("Version")
        if signer != self.own[0] or said != wanted:
            error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:secret</Message></Error>"
            answer = f'<ErrorResponse xmlns="{_NAMESPACE}">{error}</ErrorResponse>'
            return 403, "text/xml", answer.encode()
        key = f"LENT{self.asked}"
        until = datetime.now(UTC) + timedelta(seconds=self.seconds)
        answer = (
            f'<AssumeRoleResponse xmlns="{_NAMESPACE}"><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>'
            f"<SecretAccessKey>{self.secret(key)}</SecretAccessKey><SessionToken>token of {key}</SessionToken>"
            f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
        return 200, "text/xml", answer.encode()

    def _read(self, signer: str | None, fields: dict[str, str]) -> tuple[int, str, bytes]:
        self.read_with.append(signer or "nobody")
        answer: dict[str, Any] = {"Items": [{"pk": {"S": "a"}}], "Count": 1, "ScannedCount": 1}
        if signer is None or fields.get("x-amz-security-token") != f"token of {signer}":
            answer = {"__type": "com.amazon.coral.service#UnrecognizedClientException", "message": "no"}
            return 400, "application/x-amz-json-1.0", json.dumps(answer).encode()
        return 200, "application/x-amz-json-1.0", json.dumps(answer).encode()

    def _signer(self, fields: dict[str, str], body: bytes, service: str) -> str | None:
        """Who signed a request, by SigV4 as botocore computes it; None if the signature is wrong."""
        stated = dict(part.split("=", 1) for part in fields["authorization"].partition(" ")[2].split(", "))
        access_key, _, region, *_ = stated["Credential"].split("/")
        secret = self.secret(access_key)
        if secret is None or f"/{service}/" not in stated["Credential"]:
            return None
        signed = {name: fields[name] for name in stated["SignedHeaders"].split(";")}
        request = AWSRequest("POST", f"{self.url}/", headers=signed, data=body)
        request.context["timestamp"] = fields["x-amz-date"]
        auth = SigV4Auth(Credentials(access_key, secret), service, region)
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return access_key if signature == stated["Signature"] else None


@asynccontextmanager
async def lending(arn: str, external_id: str | None, own: tuple[str, str]) -> AsyncIterator[LentRoles]:
    """Both services at one address of the loopback interface."""
    roles = LentRoles(arn, external_id, own)
    server = await asyncio.start_server(roles.serve, "127.0.0.1", 0)
    roles.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield roles
    finally:
        server.close()
