"""`make demo`: the whole story against the running pair, one printed HTTP exchange after the other.

A client that knows nothing but the MCP server's URL discovers the authorization server, registers, sends a person
through sign-in and consent, queries with the token, refreshes it, and revokes it. Then automation does the same with
a client secret. Exits with status 1 when any reply is not what the protocol promises.
"""

import base64
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from deploy.local import installation
from deploy.local.exchanges import Conversation, Unexpected, claims_of, form_of
from shared_kernel.entropy import SystemEntropy

_HANDSHAKE, _MODERN = "2025-11-25", "2026-07-28"
_CLIENT = {"name": "make demo", "version": "1"}
_INITIALIZE = {"protocolVersion": _HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT}
_META = {
    "io.modelcontextprotocol/protocolVersion": _MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _CLIENT,
}
# Nothing listens there: the demo reads the code from the redirect itself, as a native app's listener would.
_REDIRECT = "http://127.0.0.1:8765/callback"
_SCOPE = "schemas:read query"
_SQL = (
    "SELECT c_mktsegment, count(*) AS orders, round(sum(o_totalprice), 2) AS revenue "
    "FROM customer JOIN orders ON o_custkey = c_custkey GROUP BY c_mktsegment ORDER BY revenue DESC"
)


def main(arguments: list[str]) -> int:
    """Tells the story and gives the exit status."""
    try:
        local = installation.from_environment(os.environ, *map(Path, arguments))
        demo = json.loads(local.demo_file.read_text("utf-8"))
    except OSError:
        print("There is no demo.json yet; run `make run` in another terminal first.", file=sys.stderr)
        return 1
    except installation.CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    story = _Story(demo)
    try:
        story.tell()
    except Unexpected as problem:
        print(f"\nNot as expected: {problem}.", file=sys.stderr)
        return 1
    except httpx2.TransportError as problem:
        print(f"\nNo answer ({problem}); is `make run` running in another terminal?", file=sys.stderr)
        return 1
    print("Everything was as expected.")
    return 0


class _Story:
    def __init__(self, demo: Mapping[str, Any]) -> None:
        self._demo = demo
        self._resource: str = demo["resource"]
        # The browser's cookies are the browser's alone; the client never sees them.
        self._browser, self._http = Conversation(), Conversation()
        self._step = 0

    def tell(self) -> None:
        issuer = self._discover()
        metadata = self._authorization_server(issuer)
        client_id = self._register(metadata)
        tokens = self._sign_in(metadata, client_id)
        self._query_both_eras(tokens["access_token"])
        self._refresh_and_revoke(metadata, client_id, tokens["refresh_token"])
        self._automation(metadata)

    def _heading(self, text: str) -> None:
        self._step += 1
        print(f"── {self._step}. {text} {'─' * max(4, 100 - len(text))}\n")

    def _discover(self) -> str:
        self._heading("The client asks without a token, and is told where to look")
        reply = self._mcp("initialize", _INITIALIZE, None, expect=401)
        challenge = reply.headers.get("www-authenticate", "")
        _expect(challenge.startswith("Bearer ") and "scope=" in challenge, "the 401 should carry a Bearer challenge")
        _expect("error=" not in challenge, "a request without a token should get no error in its challenge")
        where = challenge.partition('resource_metadata="')[2].partition('"')[0]
        self._heading("Protected-resource metadata (RFC 9728) names the authorization server")
        document = self._http.get(where).json()
        _expect(document["resource"] == self._resource, "the metadata should name the resource that was asked")
        issuer: str = document["authorization_servers"][0]
        return issuer

    def _authorization_server(self, issuer: str) -> dict[str, Any]:
        self._heading("Authorization-server metadata (RFC 8414) names the endpoints")
        parts = urlsplit(issuer)
        url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}"
        metadata = dict(self._http.get(url).json())
        _expect(metadata["issuer"] == issuer, "the metadata should name the very issuer that was asked")
        _expect(metadata["code_challenge_methods_supported"] == ["S256"], "PKCE should be S256 and nothing else")
        return metadata

    def _register(self, metadata: Mapping[str, Any]) -> str:
        self._heading("The client registers itself (RFC 7591)")
        registration = {
            "client_name": "make demo",
            "redirect_uris": [_REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        client = self._http.post_json(metadata["registration_endpoint"], registration, expect=201).json()
        _expect("client_secret" not in client, "a public client should get no secret")
        client_id: str = client["client_id"]
        return client_id

    def _sign_in(self, metadata: Mapping[str, Any], client_id: str) -> dict[str, Any]:
        entropy = SystemEntropy()
        verifier, state = entropy.token(), entropy.token(128)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        self._heading("The browser is sent to /authorize with a PKCE challenge (RFC 7636) and the resource (RFC 8707)")
        request = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": _REDIRECT,
            "scope": _SCOPE,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": self._resource,
        }
        page = self._browser.page(f"{metadata['authorization_endpoint']}?{urlencode(request)}")
        self._heading("The person signs in")
        login, user = form_of(page), self._demo["user"]
        origin = metadata["issuer"]
        fields = {**login.fields, "email": user["email"], "password": user["password"]}
        reply = self._browser.post_form(login.action, fields, expect=303, origin=origin)
        page = self._browser.page(str(httpx2.URL(login.action).join(reply.headers["location"])))
        self._heading("The person consents; the redirect brings the code, the state and the issuer (RFC 9207)")
        consent = form_of(page)
        reply = self._browser.post_form(
            consent.action, {**consent.fields, "decision": "approve"}, expect=303, origin=origin
        )
        location = reply.headers["location"]
        answer = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        _expect(location.startswith(_REDIRECT + "?"), "the redirect should go to the registered URI")
        _expect(answer.get("state") == state, "the redirect should bring back the state")
        _expect(answer.get("iss") == metadata["issuer"], "the redirect should name the issuer")
        self._heading("The code and the PKCE verifier are exchanged for tokens")
        tokens = self._token(
            metadata,
            {
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": _REDIRECT,
                "client_id": client_id,
                "code_verifier": verifier,
                "resource": self._resource,
            },
        )
        _expect(tokens["expires_in"] == 600, "an access token should live 600 seconds")
        return tokens

    def _query_both_eras(self, token: str) -> None:
        self._heading(f"MCP with the handshake of revision {_HANDSHAKE}: initialize")
        result = self._result(self._mcp("initialize", _INITIALIZE, token))
        _expect(result["protocolVersion"] == _HANDSHAKE, f"the server should speak {_HANDSHAKE}")
        self._heading(f"The same endpoint speaks revision {_MODERN}, without a handshake: server/discover")
        result = self._result(self._mcp("server/discover", {}, token, modern=True))
        _expect(_MODERN in result["supportedVersions"], f"the server should speak {_MODERN}")
        self._heading("tools/list")
        tools = {tool["name"] for tool in self._result(self._mcp("tools/list", {}, token, modern=True))["tools"]}
        expected = {"list_schemas", "list_tables", "describe_table", "run_sql", "explain_sql", "usage"}
        _expect(tools == expected, f"the tools should be {sorted(expected)}")
        self._heading("A person's token runs SQL")
        self._run_sql(token)

    def _run_sql(self, token: str) -> None:
        arguments = {"name": "run_sql", "arguments": {"sql": _SQL}}
        result = self._result(self._mcp("tools/call", arguments, token, modern=True))
        _expect(not result.get("isError"), "the query should succeed")
        answer = result["structuredContent"]
        _expect(len(answer["rows"]) == 5, "there should be five market segments")
        width = max(len(str(value)) for row in answer["rows"] for value in row) + 2
        for line in ([column["name"] for column in answer["columns"]], *answer["rows"]):
            print("  " + "".join(f"{value!s:<{width}}" for value in line))
        print()

    def _refresh_and_revoke(self, metadata: Mapping[str, Any], client_id: str, refresh_token: str) -> None:
        self._heading("The refresh token is exchanged for a new pair, and so replaced")
        form = {"grant_type": "refresh_token", "client_id": client_id}
        renewed = self._token(metadata, {**form, "refresh_token": refresh_token})
        _expect(renewed["refresh_token"] != refresh_token, "the refresh token should have been replaced")
        self._heading("Revocation (RFC 7009) ends the grant")
        self._http.post_form(
            metadata["revocation_endpoint"], {"token": renewed["refresh_token"], "client_id": client_id}
        )
        self._heading("A revoked refresh token is refused")
        reply = self._http.post_form(
            metadata["token_endpoint"], {**form, "refresh_token": renewed["refresh_token"]}, expect=400
        )
        _expect(reply.json()["error"] == "invalid_grant", "the error should be invalid_grant")

    def _automation(self, metadata: Mapping[str, Any]) -> None:
        self._heading("Automation gets a token with a client secret: curl -u id:secret")
        client = self._demo["api_client"]
        tokens = self._token(
            metadata,
            {"grant_type": "client_credentials", "scope": _SCOPE, "resource": self._resource},
            basic=(client["client_id"], client["client_secret"]),
        )
        _expect("refresh_token" not in tokens, "client_credentials should give no refresh token")
        self._heading("Automation runs the same SQL")
        self._run_sql(tokens["access_token"])

    def _token(
        self, metadata: Mapping[str, Any], form: Mapping[str, str], *, basic: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        tokens = dict(self._http.post_form(metadata["token_endpoint"], form, basic=basic).json())
        claims = claims_of(tokens["access_token"])
        print("  The access token's claims:", json.dumps(claims, indent=2).replace("\n", "\n  "), "\n")
        _expect(tokens["token_type"] == "Bearer", "the token should be a bearer token")  # noqa: S105  # its type
        _expect(claims["iss"] == metadata["issuer"], "the token should come from the issuer")
        _expect(claims["aud"] == self._resource, "the token should be for this resource only")
        return tokens

    def _mcp(
        self, method: str, params: Mapping[str, Any], token: str | None, *, expect: int = 200, modern: bool = False
    ) -> httpx2.Response:
        headers = {"accept": "application/json, text/event-stream"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if modern:
            headers |= {"mcp_protocol_version": _MODERN, "mcp_method": method}
            headers |= {"mcp_name": params["name"]} if "name" in params else {}
            params = {**params, "_meta": _META}
        document = {"jsonrpc": "2.0", "id": self._step, "method": method, "params": params}
        return self._http.post_json(self._resource, document, expect=expect, **headers)

    def _result(self, reply: httpx2.Response) -> dict[str, Any]:
        text = reply.text
        if reply.headers["content-type"].startswith("text/event-stream"):
            text = [line for line in text.splitlines() if line.startswith("data:")][-1].removeprefix("data:")
        message = json.loads(text)
        _expect("result" in message, "the reply should be a result")
        return dict(message["result"])


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unexpected(otherwise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
