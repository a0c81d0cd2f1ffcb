"""Pages of other origins may call the endpoint, and read what it answers, if their origin is one that it admits."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware

from shared_kernel.asgi import ANSWER, Answer, Receive, Scope, Send

_NO_ORIGIN = [(b"vary", b"Origin")]


class CrossOrigin(CORSMiddleware):
    """Starlette's middleware, for answers that are given in one call as well."""

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        """Serves every request but preflights."""
        extensions = scope.get("extensions")
        if extensions and ANSWER in extensions:
            answer: Answer = extensions[ANSWER]
            more = self._headers(request_headers)
            extensions[ANSWER] = lambda status, headers, body: answer(status, [*headers, *more], body)
        await super().simple_response(scope, receive, send, request_headers)

    def _headers(self, request_headers: Headers) -> list[tuple[bytes, bytes]]:
        """What `send` of the base class adds to an answer that does not vary by anything else."""
        origin = request_headers.get("origin")
        if origin is None:
            return _NO_ORIGIN
        headers = MutableHeaders(self.simple_headers)
        if self.is_allowed_origin(origin):
            self.allow_explicit_origin(headers, origin)
        else:
            headers["Vary"] = "Origin"
        return headers.raw
