"""The endpoints of programs and of people, asked what can do no harm."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from auth_server.domain.finding import At, Check, Finding
from auth_server.flows.doctor.transport import judge_cors, judge_redirect
from auth_server.ports.outside import Answer, Outside
from shared_kernel import strict_json

NOBODY = "doctor-examines-this-server"
"""A client id that no server has given."""
_POSTED_TO = (
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
)
_CROSS_ORIGIN = frozenset({"token_endpoint", "registration_endpoint", "revocation_endpoint"})
_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
_JSON = (("Content-Type", "application/json"),)
_PREFLIGHT = (
    ("Origin", "https://doctor.invalid"),
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "authorization, content-type, mcp-protocol-version"),
)
_PAGE_HEADERS = {
    "content-security-policy": "frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


async def examine_program_endpoints(outside: Outside, urls: Mapping[str, str]) -> list[Finding]:
    """Every endpoint that the metadata names for programs: it answers, and scripts may call it."""
    findings: list[Finding] = []
    for name in _POSTED_TO:
        url = urls.get(name)
        if url is None:
            continue
        kind, body = (_JSON, b"{}") if name == "registration_endpoint" else (_FORM, b"")
        answer = await outside.ask("POST", url, kind, body)
        findings += judge_program_endpoint(answer)
        if name in _CROSS_ORIGIN:
            findings += judge_preflight(await outside.ask("OPTIONS", url, _PREFLIGHT))
    return findings


def judge_program_endpoint(answer: Answer) -> Iterator[Finding]:
    """The answer to an empty request."""
    at = At(Check.ENDPOINTS, answer.url)
    redirect = judge_redirect(answer)
    if redirect is not None:
        yield redirect
    elif answer.status not in {400, 401, 429} or answer.media_type != "application/json":
        yield at.fault(
            f"answers {answer.status} ({answer.media_type or 'no type'}) to an empty request",
            "Route this path to auth-server, for POST too.",
        )
    elif answer.header("cache-control") != "no-store":
        yield at.fault("its answers may be cached", "Let the server's own Cache-Control: no-store through.")
    else:
        yield at.ok("answers")


def judge_preflight(answer: Answer) -> Iterator[Finding]:
    """The answer to a browser that asks whether a script may call the endpoint."""
    at = At(Check.CORS, answer.url)
    allowed = answer.header("access-control-allow-headers").lower()
    cors = judge_cors(answer)
    if cors is not None:
        yield cors
    elif not 200 <= answer.status < 300 or "authorization" not in allowed:
        yield at.fault(
            f"answers a preflight with {answer.status}, without the headers that clients send",
            "Route OPTIONS to auth-server, and let its CORS headers through.",
        )
    else:
        yield at.ok("can be called by scripts of any site")


async def examine_token_errors(outside: Outside, url: str) -> list[Finding]:
    """How the token endpoint refuses a client that it does not know."""
    form = urlencode({"grant_type": "refresh_token", "refresh_token": "none", "client_id": NOBODY}).encode()
    return [judge_token_error(await outside.ask("POST", url, _FORM, form))]


def judge_token_error(answer: Answer) -> Finding:
    """RFC 6749 §5.2, which clients go by: 401 makes them register anew, anything else ends in silence."""
    at = At(Check.TOKEN_ERRORS, answer.url)
    try:
        error = strict_json.parse_object(answer.body).get("error")
    except strict_json.Unreadable:
        error = None
    if answer.status == 429:
        return at.warning("too many failures came from here", "Try again in a minute: unknown clients are slowed down.")
    if answer.status != 401 or error != "invalid_client":
        return at.fault(
            f"answers {answer.status} {error or 'without an error code'} to an unknown client, not 401 invalid_client",
            "Let error answers of auth-server through, with status and body: proxies must not replace them.",
        )
    if not answer.header("www-authenticate"):
        return at.fault("its 401 has no challenge", "Let the WWW-Authenticate header through.")
    return at.ok("refuses an unknown client as clients expect")


async def examine_pages(outside: Outside, url: str, *, secure: bool) -> list[Finding]:
    """The page that a person sees for an unknown client. It must not lead anywhere."""
    query = urlencode({"response_type": "code", "client_id": NOBODY, "redirect_uri": "https://doctor.invalid/callback"})
    answer = await outside.ask("GET", f"{url}?{query}", (("Accept", "text/html"), ("Origin", "https://doctor.invalid")))
    return list(judge_page(answer, url, secure=secure))


def judge_page(answer: Answer, url: str, *, secure: bool) -> Iterator[Finding]:
    """The answer to an authorization request of an unknown client; `secure` if the issuer is https."""
    at = At(Check.PAGES, url)
    if "doctor.invalid" in answer.header("location"):
        yield at.fault(
            "redirects for an unknown client", "Route this path to auth-server: what answers sends people away."
        )
        return
    if answer.status != 400 or answer.media_type != "text/html":
        yield judge_redirect(answer) or at.fault(
            f"answers {answer.status} ({answer.media_type or 'no type'}) to an unknown client, not a page",
            "Route this path to auth-server, and let its error pages through.",
        )
        return
    wanted = {**_PAGE_HEADERS, **({"strict-transport-security": "max-age="} if secure else {})}
    missing = [name for name, value in wanted.items() if value not in answer.header(name)]
    if missing:
        yield at.fault(f"pages lack {', '.join(missing)}", "Let the server's own security headers through.")
    elif "form-action" in answer.header("content-security-policy"):
        yield at.fault(
            "Content-Security-Policy has form-action",
            "Remove form-action: browsers apply it to the redirect after consent, which then fails.",
        )
    else:
        yield at.ok("an unknown client is told on a page, with every security header")
    problem = judge_cors(answer, public=False)
    if problem is not None:
        yield Finding(problem.check, problem.verdict, url, problem.text, problem.remedy)
