"""An OpenAPI description of auth-server's endpoints for programs, written from docs/endpoints.md and the RFCs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auth_server.domain.client import AuthenticationMethod, GrantType
from auth_server.domain.failures import WIRE

Schema = Mapping[str, Any]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
ERRORS = sorted({wire.error for wire in WIRE.values()})
"""Every error code there is."""
_TEXT: Schema = {"type": "string", "minLength": 1}
_WHEN: Schema = {"type": "integer", "minimum": 0}
_LIST: Schema = {"type": "array", "items": _TEXT}
_ANYTHING: Schema = {"type": "string"}


def description() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "auth-server", "version": "1"},
        "paths": {**_documents(), **_endpoints(), **_management(), **_probes()},
    }


def _documents() -> dict[str, Any]:
    metadata = _object(issuer=_TEXT, token_endpoint=_TEXT, jwks_uri=_TEXT, grant_types_supported=_LIST, more=True)
    keys = _object(keys={"type": "array", "items": _object(kty=_TEXT, kid=_TEXT, alg=_TEXT, use=_TEXT, more=True)})
    paths = {
        "/.well-known/oauth-authorization-server": metadata,
        "/.well-known/openid-configuration": metadata,
        "/.well-known/jwks.json": keys,
    }
    cached = {"Cache-Control": "^public, max-age=[0-9]+$", "ETag": '^"[0-9a-f]{32}"$'}
    return {path: _read(_answer(schema, headers=cached)) for path, schema in paths.items()}


def _endpoints() -> dict[str, Any]:
    authenticated = ("client_id", "client_secret", "client_assertion_type", "client_assertion")
    authorization = ("response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
    more = ("resource", "prompt", "max_age", "nonce", "request", "request_uri", "dpop_jkt", "id_token_hint")
    grants = ("grant_type", "code", "code_verifier", "redirect_uri", "refresh_token", "device_code", "assertion")
    exchange = ("subject_token", "subject_token_type", "requested_token_type", "actor_token", "audience")
    tokens: dict[str, Any] = {
        "access_token": _TEXT,
        "token_type": {"enum": ["Bearer", "DPoP"]},
        "expires_in": {"type": "integer", "minimum": 0, "maximum": 600},
        "scope": _TEXT,
    }
    optional = dict.fromkeys(("refresh_token", "id_token", "issued_token_type"), _TEXT)
    codes = _object(
        device_code=_TEXT,
        user_code={"type": "string", "pattern": "^[A-Z]{4}-[A-Z]{4}$"},
        verification_uri=_TEXT,
        verification_uri_complete=_TEXT,
        expires_in=_WHEN,
        interval=_WHEN,
    )
    pushed = _object(request_uri={"type": "string", "pattern": "^urn:ietf:params:oauth:request_uri:"}, expires_in=_WHEN)
    posted: dict[str, tuple[Sequence[str], dict[str, Any]]] = {
        "/token": ((*grants, *exchange, "scope", "resource"), _answer(_object(optional, **tokens))),
        "/par": ((*authorization, *more), _answer(pushed, 201)),
        "/device_authorization": (("scope", "resource"), _answer(codes)),
        "/revoke": (("token", "token_type_hint"), _empty(200)),
        "/introspect": (("token", "token_type_hint"), _answer(_introspected())),
    }
    claims = _object(
        {"updated_at": _WHEN, "email": _TEXT, "email_verified": {"const": False}, "preferred_username": _TEXT},
        sub=_TEXT,
    )
    return {
        **{
            path: {"post": _operation(_refusals(401), success, _body((*names, *authenticated)))}
            for path, (names, success) in posted.items()
        },
        "/userinfo": {method: _operation(_refusals(401, 403), _answer(claims)) for method in ("get", "post")},
        "/oauth/client-info": {
            **{
                method: _operation(_refusals(401, 404), _answer(_client()), parameters=_query("client_id"))
                for method in ("get", "head")
            },
            "post": _operation(_refusals(401), _answer(_client()), _body(authenticated)),
        },
        "/revocations": {
            method: _operation(
                _refusals(), _answer(None, content="application/revocations+jwt"), parameters=_query("after")
            )
            for method in ("get", "head")
        },
    }


def _management() -> dict[str, Any]:
    registered = _object(
        {
            "registration_access_token": _TEXT,
            "registration_client_uri": _TEXT,
            "client_secret": _TEXT,
            "client_secret_expires_at": {"const": 0},
            "jwks": _object(keys={"type": "array", "minItems": 1}),
            "jwks_uri": _TEXT,
            "dpop_bound_access_tokens": {"type": "boolean"},
            "require_pushed_authorization_requests": {"type": "boolean"},
            "id_token_signed_response_alg": {"const": "RS256"},
        },
        client_id=_TEXT,
        client_id_issued_at=_WHEN,
        client_name=_TEXT,
        redirect_uris=_LIST,
        grant_types={"type": "array", "items": {"enum": [*GrantType]}, "minItems": 1},
        response_types={"type": "array", "items": {"const": "code"}},
        token_endpoint_auth_method={"enum": [*AuthenticationMethod]},
        scope=_TEXT,
    )
    metadata = {JSON: _metadata()}
    one = [{"name": "client_id", "in": "path", "required": True, "schema": _TEXT}]
    return {
        "/register": {"post": _operation(_refusals(401), _answer(registered, 201), metadata)},
        "/register/{client_id}": {
            "get": _operation(_refusals(401), _answer(registered), parameters=one),
            "put": _operation(_refusals(401), _answer(registered), metadata, parameters=one),
            "delete": _operation(_refusals(401), _empty(204), parameters=one),
        },
    }


def _probes() -> dict[str, Any]:
    headers = {"Cache-Control": "^no-store$"}
    live = _object({"checks": {"type": "object"}}, status={"const": "ok"})
    return {path: _read(_answer(live, headers=headers)) for path in ("/livez", "/readyz")}


def _metadata() -> Schema:
    """What a client may register with; it is generous, for the server is to judge it."""
    key = {
        "type": "object",
        "properties": {"kty": {"enum": ["EC", "RSA", "OKP"]}, "crv": _TEXT, "x": _TEXT, "n": _TEXT},
    }
    key_set = {"type": "object", "properties": {"keys": {"type": "array", "items": key}}}
    named = {
        "client_id": _ANYTHING,
        "client_name": _ANYTHING,
        "redirect_uris": {"type": "array", "items": _ANYTHING, "maxItems": 22},
        "grant_types": {"type": "array", "items": {"enum": [*GrantType, "implicit"]}},
        "response_types": {"type": "array", "items": {"enum": ["code", "token"]}},
        "token_endpoint_auth_method": {"enum": [*AuthenticationMethod, "client_secret_jwt", ""]},
        "scope": _ANYTHING,
        "jwks": key_set,
        "jwks_uri": {"enum": ["https://client.example/jwks.json", "http://127.0.0.1/x", "x"]},
        "software_statement": _ANYTHING,
        "dpop_bound_access_tokens": {"type": "boolean"},
        "require_pushed_authorization_requests": {"type": "boolean"},
    }
    return {"type": "object", "properties": named}


def _introspected() -> Schema:
    members = dict.fromkeys(("scope", "client_id", "token_type", "sub", "aud", "iss", "jti", "gid", "tenant"), _TEXT)
    times = dict.fromkeys(("exp", "iat", "nbf"), _WHEN)
    optional = {**members, **times, "roles": _LIST, "cnf": _object(jkt=_TEXT)}
    inactive = {
        "type": "object",
        "properties": {"active": {"const": False}},
        "required": ["active"],
        "maxProperties": 1,
    }
    return {"oneOf": [inactive, _object(optional, active={"const": True})]}


def _client() -> Schema:
    boolean = {"type": "boolean"}
    nullable = {"type": ["string", "null"]}
    return _object(
        {
            "client_id_issued_at": _WHEN,
            "workspace": nullable,
            "scope": _ANYTHING,
            "grant_types": _LIST,
            "redirect_uris": _LIST,
            "dpop_bound_access_tokens": boolean,
            "require_pushed_authorization_requests": boolean,
            "secrets": {"type": "array"},
        },
        client_id=_TEXT,
        client_name=_TEXT,
        registration={"enum": ["operator", "dynamic", "document"]},
        verified=boolean,
        client_host=nullable,
        redirect_hosts=_LIST,
    )


def _object(optional: Schema | None = None, *, more: bool = False, **required: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**(optional or {}), **required},
        "required": sorted(required),
        "additionalProperties": more,
    }


def _read(success: dict[str, Any]) -> dict[str, Any]:
    """GET and HEAD of what anybody may read."""
    return {method: _operation({}, success) for method in ("get", "head")}


def _operation(
    refusals: dict[str, Any],
    success: dict[str, Any],
    body: Mapping[str, Schema] | None = None,
    parameters: Sequence[Schema] = (),
) -> dict[str, Any]:
    content = {kind: {"schema": schema} for kind, schema in (body or {}).items()}
    return {
        "parameters": list(parameters),
        "responses": {**refusals, **success},
        **({"requestBody": {"required": True, "content": content}} if content else {}),
    }


def _query(name: str) -> list[Schema]:
    return [{"name": name, "in": "query", "required": False, "schema": _ANYTHING}]


def _body(names: Iterable[str]) -> dict[str, Schema]:
    schema = {"type": "object", "properties": dict.fromkeys(names, _ANYTHING), "additionalProperties": False}
    return {FORM: schema, JSON: schema}


def _answer(
    schema: Schema | None, status: int = 200, *, content: str = JSON, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    body = {content: {"schema": schema} if schema is not None else {}}
    return {str(status): {"description": "", "headers": _headers(headers), "content": body}}


def _empty(status: int) -> dict[str, Any]:
    return {str(status): {"description": "", "headers": _headers()}}


def _refusals(*more: int) -> dict[str, Any]:
    """400, 413, 429 and 503 are of every endpoint."""
    error = _object(error={"enum": ERRORS}, error_description=_TEXT, request_id=_TEXT)
    answers = [_answer(error, status) for status in (400, 413, 429, 503, *more) if status != 401]
    if 401 in more:
        answers.append(
            _answer(error, 401, headers={"Cache-Control": "^no-store$", "WWW-Authenticate": "^(Basic|Bearer|DPoP)"})
        )
    return {status: answer for each in answers for status, answer in each.items()}


def _headers(patterns: Mapping[str, str] | None = None) -> dict[str, Any]:
    """RFC 6749 §5.1: what holds a credential, or is about one, is not to be stored."""
    required = patterns or {"Cache-Control": "^no-store$", "Pragma": "^no-cache$"}
    return {
        name: {"required": True, "schema": {"type": "string", "pattern": pattern}}
        for name, pattern in {**required, "X-Request-Id": "."}.items()
    }
