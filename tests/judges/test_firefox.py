"""Firefox, beside the Chromium of the other tests, goes through sign-in and consent to every kind of client."""

import json
import shutil

import pytest

from tests.judges.judging import judged
from tests.support.callback import listening
from tests.support.people import Pkce, authorize_url
from tests.support.services import EMAIL, PASSWORD, AuthServer

pytestmark = pytest.mark.slow


def test_b13_firefox_reaches_a_program_a_site_and_an_app(auth_server: AuthServer) -> None:
    """What a browser makes of a redirect after a form is its own affair: Content-Security-Policy once stopped it."""
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    assert firefox, "no Firefox found; on Debian, as root: apt-get install -y firefox-esr"
    with listening() as callback:
        uris = [
            callback.redirect_uri,
            "https://client.example.com/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ]
        options = [option for uri in uris for option in ("--redirect-uri", uri)]
        client = auth_server.create_client("--public", "--name", "Any app", *options)
        requests = [
            {
                "redirect_uri": uri,
                "url": authorize_url(
                    auth_server.issuer, client.id, uri, Pkce(), resource=auth_server.resource, scope="query"
                ),
            }
            for uri in uris
        ]
        task = {"firefox": firefox, "email": EMAIL, "password": PASSWORD, "requests": json.dumps(requests)}
        assert judged("firefox.mjs", task, print) == uris
        assert callback.next()["code"]
