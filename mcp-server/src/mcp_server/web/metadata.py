"""The documents from which a client learns who guards this resource (RFC 9728).

All strings are the configured ones, byte for byte: clients compare them, and the issuer, as plain text.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared_kernel import dpop, scope
from shared_kernel import resource as resources

_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
# Public documents, read by clients that run in browsers too.
_CORS = {"Access-Control-Allow-Origin": "*"}
_HEADERS = {**_CORS, "Cache-Control": "public, max-age=3600"}
_PREFLIGHT = {**_CORS, "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "*"}


def metadata_url(resource: str) -> str:
    """Where the metadata of a resource is: the well-known segment goes between its host and its path (RFC 9728 §3)."""
    return f"{resources.origin(resource)}{_WELL_KNOWN}{urlsplit(resource).path}"


def routes(*, resource: str, issuer: str, name: str, dpop_required: bool) -> list[Route]:
    """Protected-resource metadata under both of its URLs, and the way to the issuer's metadata.

    `name` is what a client may show to people; `dpop_required` says that bearers are refused.
    """
    document = {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": list(scope.RESOURCE_SCOPES),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "dpop_bound_access_tokens_required": dpop_required,
        "resource_name": name,
    }

    async def protected_resource(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        return JSONResponse(document, headers=_HEADERS)

    async def authorization_server(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        return RedirectResponse(_issuer_metadata(issuer), status_code=307, headers=_HEADERS)

    # Clients probe the path-suffixed form first, then the root; a resource without a path has one form only.
    paths = dict.fromkeys((_WELL_KNOWN + urlsplit(resource).path, _WELL_KNOWN))
    result = [Route(path, protected_resource, methods=["GET", "OPTIONS"]) for path in paths]
    if resources.origin(issuer) != resources.origin(resource):
        result.append(Route(_AUTHORIZATION_SERVER, authorization_server, methods=["GET", "OPTIONS"]))
    return result


def _issuer_metadata(issuer: str) -> str:
    # RFC 8414 §3: the well-known segment is inserted "between the host component and the path component, if any"
    return f"{resources.origin(issuer)}{_AUTHORIZATION_SERVER}{urlsplit(issuer).path.rstrip('/')}"
