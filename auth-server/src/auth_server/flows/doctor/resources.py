"""MCP servers of the deployment, from the first request without a token to the metadata that it leads to."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from auth_server.domain.finding import At, Check, Finding
from auth_server.flows.doctor.documents import judge_issuer, parse
from auth_server.flows.doctor.transport import judge_cors, judge_redirect
from auth_server.ports.outside import Answer, Outside
from auth_server.protocol.challenge import bearer_parameters
from shared_kernel import resource as resources

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"))
_PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_ROUTE = "Route this path to mcp-server."


def metadata_urls(resource: str) -> tuple[str, ...]:
    """Where clients look for the metadata of a resource (RFC 9728 §3), the right place first."""
    root = f"{resources.origin(resource)}{WELL_KNOWN}"
    return tuple(dict.fromkeys((root + urlsplit(resource).path, root)))


async def examine_resource(outside: Outside, resource: str, issuer: str) -> list[Finding]:
    """A resource, from outside."""
    findings: list[Finding] = []
    for method in ("POST", "GET"):
        headers, body = (_HEADERS, _PING) if method == "POST" else ((), b"")
        findings += judge_challenge(await outside.ask(method, resource, headers, body), method, resource)
    for url in metadata_urls(resource):
        findings += judge_protected_resource(await outside.ask("GET", url), resource, issuer)
    return findings


async def named_at(outside: Outside, issuer: str) -> str | None:
    """The resource that shares the issuer's origin, as its metadata there names it."""
    document, problem = parse(
        Check.PROTECTED_RESOURCE, await outside.ask("GET", f"{resources.origin(issuer)}{WELL_KNOWN}")
    )
    found = document.get("resource")
    return found if problem is None and isinstance(found, str) else None


def judge_protected_resource(answer: Answer, resource: str, issuer: str) -> Iterator[Finding]:
    """RFC 9728 §3.3: the resource in the document "MUST be identical" to the one that was asked for."""
    at = At(Check.PROTECTED_RESOURCE, answer.url)
    document, problem = parse(Check.PROTECTED_RESOURCE, answer)
    if problem is not None:
        yield problem if problem.check is Check.REDIRECT else at.fault(problem.text, _ROUTE)
        return
    servers = document.get("authorization_servers")
    if document.get("resource") != resource:
        yield at.fault(
            f"names the resource {document.get('resource')!r}",
            f"Set MCP_RESOURCE to the URL that clients use, byte for byte; asked for was {resource}.",
        )
    elif not isinstance(servers, list) or not servers:
        yield at.fault("names no authorization server", "Set MCP_ISSUER to the issuer's URL.")
    else:
        yield at.ok("names this resource")
    if isinstance(servers, list) and servers:
        yield judge_issuer(At(Check.ISSUER, answer.url), issuer if issuer in servers else servers[0], issuer)
    yield judge_cors(answer) or At(Check.CORS, answer.url).ok("can be read by scripts of any site")


def judge_challenge(answer: Answer, method: str, resource: str) -> Iterator[Finding]:
    """The answer to a request without a token, from which clients learn where to sign in."""
    at = At(Check.CHALLENGE, answer.url)
    redirect = judge_redirect(answer)
    if redirect is not None:
        yield redirect
        return
    if answer.status != 401:
        yield at.fault(
            f"answers {answer.status} to a {method} without a token, not 401",
            "Route it to mcp-server, which asks for a token, and let its 401 through.",
        )
        return
    parameters = bearer_parameters(answer.header("www-authenticate"))
    if parameters is None:
        yield at.fault(f"its 401 to a {method} has no Bearer challenge", "Let the WWW-Authenticate header through.")
    elif parameters.get("resource_metadata") not in metadata_urls(resource):
        yield at.fault(
            f"its challenge points to {parameters.get('resource_metadata') or 'no metadata'}",
            "Set MCP_RESOURCE to the URL that clients use: its metadata must be at the same origin.",
        )
    else:
        yield at.ok(f"a {method} without a token is told where to sign in")
