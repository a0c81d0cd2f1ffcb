"""The documents that clients start from: metadata in all its places, keys, revocations."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, import_key

from auth_server.domain.finding import At, Check, Finding
from auth_server.flows.doctor.transport import judge_cors, judge_redirect
from auth_server.ports.outside import Answer
from shared_kernel import resource, revocations, strict_json

_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported")
_ROUTE = "Route this path to auth-server, unchanged."
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where clients look for metadata, RFC 8414 §3.1 first, then OpenID Connect Discovery in both its forms."""
    origin, path = resource.origin(issuer), urlsplit(issuer).path
    return tuple(
        dict.fromkeys(
            (
                f"{origin}/.well-known/oauth-authorization-server{path}",
                f"{origin}/.well-known/openid-configuration{path}",
                f"{issuer}/.well-known/openid-configuration",
            )
        )
    )


def parse(check: Check, answer: Answer) -> tuple[dict[str, Any], Finding | None]:
    """The JSON object in an answer, or an empty one and what is wrong with it."""
    at = At(check, answer.url)
    redirect = judge_redirect(answer)
    if redirect is not None:
        return {}, redirect
    if answer.status != 200:
        return {}, at.fault(f"answers {answer.status}", _ROUTE)
    if answer.media_type != "application/json":
        return {}, at.fault(f"is {answer.media_type or 'of no type'}, not JSON", _ROUTE)
    try:
        return strict_json.parse_object(answer.body), None
    except strict_json.Unreadable:
        return {}, at.fault("is not a JSON object", _ROUTE)


def judge_metadata(answer: Answer, issuer: str) -> Iterator[Finding]:
    """One of the metadata documents."""
    document, problem = parse(Check.METADATA, answer)
    cors = judge_cors(answer)
    if problem is not None:
        yield problem
        return
    at = At(Check.METADATA, answer.url)
    missing = [name for name in _REQUIRED if not document.get(name)]
    if missing:
        yield at.fault(f"lacks {', '.join(missing)}", "Serve auth-server's own document, whole.")
    elif "S256" not in (document.get("code_challenge_methods_supported") or ()):
        yield at.fault(
            "does not offer S256 in code_challenge_methods_supported",
            "Serve auth-server's own document: MCP clients refuse a server without it.",
        )
    elif document.get("authorization_response_iss_parameter_supported") is not True:
        yield at.warning(
            "does not promise `iss` in answers", "Serve auth-server's own document: clients need it against mix-ups."
        )
    else:
        yield at.ok("has what MCP clients need")
    yield judge_issuer(At(Check.ISSUER, answer.url), document.get("issuer"), issuer)
    yield cors or At(Check.CORS, answer.url).ok("can be read by scripts of any site")


def judge_issuer(at: At, found: object, issuer: str) -> Finding:
    """The issuer that something names. RFC 8414 §3.3: the value "MUST be identical"."""
    if found == issuer:
        return at.ok("names this issuer, byte for byte")
    return at.fault(
        f"names the issuer {found!r}",
        f"Set AUTH_ISSUER and MCP_ISSUER to {issuer}, if that is what clients use: they compare it byte for byte.",
    )


def judge_forwarded(answer: Answer, first: Answer) -> Finding:
    """The metadata as somebody gets it who forges the headers of a proxy, beside the `first` answer without them."""
    at = At(Check.ISSUER, answer.url)
    if (answer.status, answer.body) == (first.status, first.body):
        return at.ok("does not depend on forwarding headers")
    return at.fault(
        "changes with the caller's X-Forwarded-Host", "Overwrite X-Forwarded-* headers of callers in the proxy."
    )


def judge_endpoints(answer: Answer, document: Mapping[str, Any], issuer: str) -> Iterator[Finding]:
    """Where the metadata sends clients."""
    at, origin = At(Check.ENDPOINTS, answer.url), resource.origin(issuer)
    urls = {name: url for name, url in document.items() if name.endswith("_endpoint") or name == "jwks_uri"}
    elsewhere = [name for name, url in urls.items() if not is_at(url, origin)]
    if elsewhere:
        yield at.fault(
            f"sends clients to another origin for {', '.join(elsewhere)}",
            "Serve auth-server's own document, and every endpoint at the issuer's origin.",
        )
    else:
        yield at.ok(f"{len(urls)} endpoints, all at this origin")


def is_at(url: object, origin: str) -> bool:
    """Whether something is a URL at that origin."""
    return isinstance(url, str) and url.startswith(f"{origin}/")


def judge_key_set(answer: Answer) -> tuple[dict[str, ECKey], list[Finding]]:
    """The published keys, and how they are published."""
    at = At(Check.KEY_SET, answer.url)
    document, problem = parse(Check.KEY_SET, answer)
    if problem is not None:
        return {}, [problem]
    keys = document.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, Mapping) for key in keys):
        return {}, [at.fault("holds no key", "Serve auth-server's own key set: without it no token can be verified.")]
    if any(_PRIVATE & key.keys() for key in keys):
        return {}, [
            at.fault("publishes private keys", "Stop serving this file at once, and run `auth-server key revoke`.")
        ]
    findings = [judge_cors(answer) or At(Check.CORS, answer.url).ok("can be read by scripts of any site")]
    try:
        found = {str(key["kid"]): import_key(dict(key)) for key in keys}
    except (JoseError, ValueError, KeyError):
        return {}, [at.fault("holds a key that cannot be read", "Serve auth-server's own key set."), *findings]
    if "no-store" in answer.header("cache-control"):
        at_cache = at.warning("must not be cached", "Let the server's own Cache-Control through.")
        return _of_curve(found), [at_cache, *findings]
    return _of_curve(found), [at.ok(f"publishes {len(found)} keys"), *findings]


def _of_curve(keys: Mapping[str, Any]) -> dict[str, ECKey]:
    return {key_id: key for key_id, key in keys.items() if isinstance(key, ECKey)}


def judge_revocations(answer: Answer, keys: Mapping[str, ECKey], issuer: str) -> Finding:
    """The feed of what was revoked, which resource servers follow; its time is auth-server's own clock."""
    at = At(Check.REVOCATIONS, answer.url)
    redirect = judge_redirect(answer)
    if redirect is not None:
        return redirect
    if answer.status != 200:
        return at.fault(
            f"answers {answer.status}", "Route this path to auth-server: mcp-server learns from it what was revoked."
        )
    try:
        text = answer.body.decode("ascii")
        key = keys.get(revocations.unverified_key_id(text))
        if key is None:
            return at.fault("is signed with a key that is not published", "Route both paths to the same auth-server.")
        revocations.read(text, key, issuer=issuer, now=answer.received_at)
    except (revocations.FeedRefused, UnicodeDecodeError) as error:
        return at.fault(
            f"cannot be believed: {error}", "Let no proxy cache or change it, and synchronise both machines' clocks."
        )
    return at.ok("is signed, and of now")
