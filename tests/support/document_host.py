"""A host that publishes client documents over HTTPS, with a certificate authority of its own."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

Answer = Callable[[BaseHTTPRequestHandler], None]


def answering(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    """An answer with these headers, and the body's length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@dataclass(slots=True)
class DocumentHost:
    """A running host, for any number of origins.

    `documents` are by URL. `settings` let an auth-server find the host behind its origins, and trust it.
    """

    port: int
    settings: Mapping[str, str]
    documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    """What is done about a request for a URL instead of publishing a document there."""
    requests: list[str] = field(default_factory=list)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Those of the last request for a URL."""
    forms: dict[str, str] = field(default_factory=dict)
    """What was last posted to a URL."""

    def publish(self, url: str, **members: Any) -> str:
        """Publishes a document whose client_id is its URL; gives the URL."""
        self.documents[url] = {"client_id": url, **members}
        return url


@contextmanager
def publishing(directory: Path, *hosts: str) -> Iterator[DocumentHost]:
    """The host of these names, for as long as the block; `directory` takes the authority's certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*hosts).configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"https://{self.headers['Host']}{self.path}"
            host.requests.append(url)
            host.headers[url] = dict(self.headers.items())
            if url in host.answers:
                host.answers[url](self)
                return
            document = host.documents.get(url)
            json_type = ("Content-Type", "application/json")
            answering(404 if document is None else 200, json.dumps(document).encode(), json_type)(self)

        def do_POST(self) -> None:
            url = f"https://{self.headers['Host']}{self.path}"
            host.requests.append(url)
            host.headers[url] = dict(self.headers.items())
            host.forms[url] = self.rfile.read(int(self.headers["Content-Length"])).decode()
            host.answers.get(url, answering(404, b""))(self)

        def log_message(self, *_values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    settings = {
        "AUTH_CLIENT_DOCUMENT_ORIGINS": ",".join(f"https://{name}=127.0.0.1:{port}" for name in hosts),
        "SSL_CERT_FILE": str(directory / "authority.pem"),
    }
    host = DocumentHost(port, settings)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
