"""The examination: what is asked, in which order, and where it ends when nobody answers."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from auth_server.domain.finding import At, Check, Finding, Verdict
from auth_server.flows.doctor.documents import (
    is_at,
    judge_endpoints,
    judge_forwarded,
    judge_key_set,
    judge_metadata,
    judge_revocations,
    metadata_urls,
    parse,
)
from auth_server.flows.doctor.endpoints import examine_pages, examine_program_endpoints, examine_token_errors
from auth_server.flows.doctor.resources import examine_resource, named_at
from auth_server.flows.doctor.transport import examine_plain_http, examine_tls, judge_clock
from auth_server.ports.outside import Outside, Unreachable
from shared_kernel import resource as resources
from shared_kernel.clock import Clock

_FORGED = (
    ("X-Forwarded-Host", "doctor.invalid"),
    ("X-Forwarded-Prefix", "/doctor"),
    ("Forwarded", "host=doctor.invalid"),
)


class Doctor:
    """Examines a deployment."""

    def __init__(self, outside: Outside, clock: Clock) -> None:
        self._outside, self._clock = outside, clock

    async def examine(self, issuer: str, named: Iterable[str] = ()) -> list[Finding]:
        """Everything found, in the order in which clients meet it.

        `named` are the URLs of the resources; without any, those that can be learnt are examined.
        """
        findings: list[Finding] = []
        try:
            await self._examine_issuer(issuer, findings)
            learnt = await self._learnt(issuer) if not named else ()
        except Unreachable as error:
            return [*findings, _unreachable(error)]
        wanted = tuple(named) or learnt
        for resource in wanted:
            try:
                await self._examine_resource(resource, issuer, findings)
            except Unreachable as error:
                findings.append(_unreachable(error))
        if not wanted:
            findings.append(
                At(Check.PROTECTED_RESOURCE, issuer).warning(
                    "no resource was named, and none is found at this origin",
                    "Name each MCP server with --resource URL to have it examined.",
                )
            )
        return findings

    async def _examine_issuer(self, issuer: str, findings: list[Finding]) -> None:
        if not await self._can_be_trusted(issuer, findings):
            return
        first, *others = [await self._outside.ask("GET", url) for url in metadata_urls(issuer)]
        for answer in (first, *others):
            findings += judge_metadata(answer, issuer)
        findings += judge_clock(first)
        findings.append(judge_forwarded(await self._outside.ask("GET", first.url, _FORGED), first))
        document, _ = parse(Check.METADATA, first)
        if not document:
            return
        findings += judge_endpoints(first, document, issuer)
        # Nothing is sent to another origin, whatever the document says.
        urls = {name: str(url) for name, url in document.items() if is_at(url, resources.origin(issuer))}
        if url := urls.get("jwks_uri"):
            await self._examine_keys(url, issuer, findings)
        findings += await examine_program_endpoints(self._outside, urls)
        if url := urls.get("token_endpoint"):
            findings += await examine_token_errors(self._outside, url)
        if url := urls.get("authorization_endpoint"):
            findings += await examine_pages(self._outside, url, secure=issuer.startswith("https:"))

    async def _examine_keys(self, url: str, issuer: str, findings: list[Finding]) -> None:
        keys, found = judge_key_set(await self._outside.ask("GET", url))
        findings += found
        if keys:
            answer = await self._outside.ask("GET", f"{issuer}/revocations")
            findings.append(judge_revocations(answer, keys, issuer))

    async def _examine_resource(self, resource: str, issuer: str, findings: list[Finding]) -> None:
        if resources.origin(resource) != resources.origin(issuer) and not await self._can_be_trusted(
            resource, findings
        ):
            return
        findings += await examine_resource(self._outside, resource, issuer)

    async def _can_be_trusted(self, url: str, findings: list[Finding]) -> bool:
        """Whether there is any use in going on: nobody else could go on either."""
        tls = await examine_tls(self._outside, url, self._clock.now())
        findings.append(tls)
        if tls.verdict is Verdict.FAULT and urlsplit(url).scheme == "https":
            return False
        if plain := await examine_plain_http(self._outside, url):
            findings.append(plain)
        return True

    async def _learnt(self, issuer: str) -> tuple[str, ...]:
        found = await named_at(self._outside, issuer)
        try:
            return (found,) if found and resources.canonical(found) else ()
        except resources.MalformedResource:
            return ()


def _unreachable(error: Unreachable) -> Finding:
    return At(Check.REACHABLE, error.url).fault(
        str(error.obstacle), "Check name, port, firewall and proxy, and that the service runs."
    )
