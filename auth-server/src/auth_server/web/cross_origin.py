"""Scripts of any site may call the public endpoints and look for well-known documents, without credentials."""

from collections.abc import Iterable, Mapping

from shared_kernel.asgi import App, Receive, Scope, Send, answer_headers

HEADERS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"DPoP-Nonce, Retry-After, WWW-Authenticate, X-Request-Id"),
]


class CrossOrigin:
    """Adds the CORS headers to every answer of these paths, refusals and crashes too, and answers their preflights.

    A well-known document that is missing must be seen to be missing: clients try several paths. `base` is the issuer's
    path. A path whose last part is in braces stands for every one with another last part.

    Starlette's CORSMiddleware adds them only where the request has an Origin: a cache could then hand a kept document
    to a script that may not read it.
    """

    def __init__(self, app: App, methods: Mapping[str, Iterable[str]], base: str) -> None:
        self._app, self._well_known = app, ("/.well-known/", f"{base}/.well-known/")
        self._methods = {path: ", ".join(allowed) for path, allowed in methods.items()}
        self._families = {path.partition("{")[0]: names for path, names in self._methods.items() if "{" in path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        methods = self._methods.get(scope["path"]) or self._methods_of_family(scope["path"])
        if methods is None and not scope["path"].startswith(self._well_known):
            return await self._app(scope, receive, send)
        answer_headers(scope).extend(HEADERS)
        if methods is not None and scope["method"] == "OPTIONS":
            return await _preflight(send, methods)
        return await self._app(scope, receive, send)

    def _methods_of_family(self, path: str) -> str | None:
        stem, slash, part = path.rpartition("/")
        return self._families.get(f"{stem}{slash}") if part else None


async def _preflight(send: Send, methods: str) -> None:
    headers = [
        (b"access-control-allow-methods", methods.encode()),
        # Fetch §4.8: the wildcard does not cover Authorization, which must be named.
        (b"access-control-allow-headers", b"Authorization, Content-Type, DPoP, MCP-Protocol-Version, *"),
        (b"access-control-max-age", b"86400"),
        (b"allow", f"{methods}, OPTIONS".encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
