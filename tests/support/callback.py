"""The redirect URI of a native client: a small HTTP server on the loopback address that receives the code."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

WAIT_SECONDS = 60


class Callback:
    """Receives redirects to `redirect_uri`."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.received: queue.Queue[dict[str, str]] = queue.Queue()

    def next(self) -> dict[str, str]:
        """The parameters of the next redirect, each of which must stand once; fails the test when none comes."""
        return self.received.get(timeout=WAIT_SECONDS)


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[Callback]:
    """A callback server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path == "/callback":
                callback.received.put(parameters(self.path))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"You may close this window.")

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Handler) as server:
        callback = Callback(f"http://{host}:{server.server_address[1]}/callback")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield callback
        finally:
            server.shutdown()
            thread.join()


def parameters(url: str) -> dict[str, str]:
    """The query parameters of a redirect; a parameter that stands twice fails the test."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert len({name for name, _ in pairs}) == len(pairs), f"repeated parameter in {[name for name, _ in pairs]}"
    return dict(pairs)
