"""A proxy that breaks what goes through it, as misconfigured ones do."""

from collections.abc import Callable
from dataclasses import dataclass, field

from shared_kernel.asgi import App, Message, Receive, Scope, Send


@dataclass(slots=True)
class Passing:
    """An answer on its way, and what it answers; `headers` have lower-case names, one value each."""

    method: str
    path: str
    asked: dict[str, str]
    status: int
    headers: dict[str, str]
    body: bytes


Tamper = Callable[[Passing], None]
"""Changes an answer."""


@dataclass(slots=True)
class Tampering:
    """In front of an application; `tamper` is exchangeable, and so is the address that all callers seem to have."""

    app: App
    address: str = "198.18.0.1"
    tamper: Tamper = field(default=lambda _passing: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and its answer back, changed."""
        asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        passing = Passing(scope["method"], scope["path"], asked, 0, {}, b"")

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                passing.status = message["status"]
                passing.headers = {
                    name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]
                }
            else:
                passing.body += message.get("body", b"")

        headers = [*scope["headers"], (b"x-forwarded-for", self.address.encode())]
        await self.app({**scope, "headers": headers}, receive, collect)
        self.tamper(passing)
        sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in passing.headers.items()]
        sent.append((b"content-length", str(len(passing.body)).encode()))
        await send({"type": "http.response.start", "status": passing.status, "headers": sent})
        await send({"type": "http.response.body", "body": passing.body})
