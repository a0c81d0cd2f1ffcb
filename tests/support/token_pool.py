"""A pool of people that another company runs, as Amazon Cognito does: one key signs tokens of every kind."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.client_keys import ClientKey

CLIENT = "4hm5jqe9p3q1example"
SUBJECT = "7d8ca528-4931-4254-9273-ea5ee853f271"


@dataclass(slots=True)
class TokenPool:
    """A pool with the issuer's URL `issuer`."""

    issuer: str
    key: ClientKey = field(default_factory=lambda: ClientKey("RS256", "pool-key"))

    def jwks(self) -> dict[str, Any]:
        """What it publishes."""
        return {"keys": [self.key.jwk(alg=self.key.algorithm)]}

    def token(
        self,
        now: float,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        *,
        key: ClientKey | None = None,
    ) -> str:
        """An access token as Cognito makes it, changed; None leaves a claim or a member of the header out."""
        cognitos = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": None,
            "client_id": CLIENT,
            "token_use": "access",
            "scope": "openid https://mcp.example.com/mcp/query https://mcp.example.com/mcp/schemas:read",
            "auth_time": int(now),
            "iat": int(now),
            "exp": int(now) + 3600,
            "jti": "a-jti",
            "username": "ada",
            **(claims or {}),
        }
        own = {"typ": None, **(header or {})}
        return (key or self.key).assertion("", None, now, header=own, **cognitos)


@contextmanager
def serving_pool() -> Iterator[TokenPool]:
    """A pool that publishes its keys on loopback, for as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(pool.jwks()).encode()
            self.send_response(200 if self.path == "/eu-west-1_Pool/.well-known/jwks.json" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pool = TokenPool(f"http://127.0.0.1:{server.server_address[1]}/eu-west-1_Pool")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield pool
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
