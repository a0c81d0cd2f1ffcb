"""The floor under both services: their HTTP stack without them.

A form POST that is parsed and answered with prepared bytes, and a GET of prepared bytes, on Starlette, uvicorn,
httptools and uvloop. `python -m tests.bench.peers.static_asgi` with PORT in the environment
"""

import os
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TOKEN = b'{"access_token":"' + b"e" * 600 + b'","token_type":"Bearer","expires_in":600}'
DOCUMENT = b'{"issuer":"' + b"d" * 900 + b'"}'


async def token(request: Request) -> Response:
    """Parses the form and answers as a token endpoint would."""
    form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
    status = 200 if form["grant_type"] == "client_credentials" else 400
    return Response(TOKEN, status, media_type="application/json")


async def document(_request: Request) -> Response:
    """Answers as a cached document would be."""
    return Response(DOCUMENT, media_type="application/json")


def main() -> None:
    """Serves until a signal."""
    routes = [Route("/token", token, methods=["POST"]), Route("/document", document)]
    uvicorn.run(
        Starlette(routes=routes),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
