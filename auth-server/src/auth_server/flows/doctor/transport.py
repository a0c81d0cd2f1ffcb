"""How an origin is reached: TLS, plain HTTP beside it, its clock."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from auth_server.domain.finding import At, Check, Finding
from auth_server.ports.outside import TLS_OBSTACLES, Answer, Outside, Unreachable

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EARLY_DAYS = 14
"""How long before its end a certificate is worth a warning; those that are renewed by themselves are 30 days early."""
WARNING_SECONDS, FAULT_SECONDS = 5.0, 60.0
"""By how much a clock may differ before it is worth a warning, and before tokens are refused."""
_DAY = 86400


async def examine_tls(outside: Outside, url: str, now: float) -> Finding:
    """The certificate of an https URL. Raises Unreachable for what is no matter of TLS."""
    at, host = At(Check.TLS, url), urlsplit(url).hostname
    if urlsplit(url).scheme != "https":
        if host in LOOPBACK:
            return at.ok("plain http, which is right on this machine only")
        return at.fault("plain http: passwords and tokens can be read on the way", "Serve it over https.")
    try:
        end = await outside.certificate_end(url)
    except Unreachable as error:
        if error.obstacle not in TLS_OBSTACLES:
            raise
        return at.fault(str(error.obstacle), f"Give the server a valid certificate for {host}, with its whole chain.")
    days = int((end - now) // _DAY)
    if days < EARLY_DAYS:
        return at.warning(f"the certificate expires in {days} days", "Renew the certificate.")
    return at.ok(f"the certificate is good for {days} days")


async def examine_plain_http(outside: Outside, url: str) -> Finding | None:
    """What answers over http beside an https URL on the usual port; None where that cannot be said."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.port not in (None, 443):
        return None
    try:
        return judge_plain_http(await outside.ask("GET", f"http://{parts.hostname}{parts.path}"), parts.netloc)
    except Unreachable:
        return At(Check.PLAIN_HTTP, url).ok("nothing answers over plain http")


def judge_plain_http(answer: Answer, host: str) -> Finding:
    """An answer over http, whose https twin is at `host`."""
    at, location = At(Check.PLAIN_HTTP, answer.url), answer.header("location")
    if 300 <= answer.status < 400 and location.startswith(f"https://{host}"):
        return at.ok("leads to https")
    return at.fault(
        f"answers {answer.status} over plain http", "Redirect every request over http to https, or close the port."
    )


def judge_clock(answer: Answer) -> Iterator[Finding]:
    """The Date of an answer beside our clock."""
    at = At(Check.CLOCK, answer.url)
    if answer.date is None:
        yield at.warning("the answer has no Date", "Let the Date header through, so that clocks can be compared.")
        return
    # A Date is cut to seconds.
    ahead = answer.date + 0.5 - answer.received_at
    difference = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) > FAULT_SECONDS:
        yield at.fault(f"its clock is {difference}", "Synchronise both machines' clocks with NTP: tokens are refused.")
    elif abs(ahead) > WARNING_SECONDS:
        yield at.warning(f"its clock is {difference}", "Synchronise both machines' clocks with NTP.")
    else:
        yield at.ok("its clock agrees with this machine's")


def judge_redirect(answer: Answer) -> Finding | None:
    """A redirect where clients follow none."""
    if not 300 <= answer.status < 400:
        return None
    location = answer.header("location") or "nowhere"
    return At(Check.REDIRECT, answer.url).fault(
        f"redirects to {location}", "Serve this URL itself: clients do not follow redirects here."
    )


def judge_cors(answer: Answer, *, public: bool = True) -> Finding | None:
    """Whether scripts of any site may read the answer, and without credentials; None if that is as it should be."""
    at = At(Check.CORS, answer.url)
    origin, credentials = (
        answer.header("access-control-allow-origin"),
        answer.header("access-control-allow-credentials"),
    )
    if credentials:
        return at.fault(
            "lets scripts of other sites use cookies", "Remove Access-Control-Allow-Credentials from the proxy."
        )
    if public and origin != "*":
        return at.fault(
            f"Access-Control-Allow-Origin is {origin or 'missing'}",
            "Let the server's own CORS headers through, and add none in the proxy: clients in browsers need `*`, once.",
        )
    if not public and origin:
        return at.fault(
            f"lets scripts of {origin} read it", "Remove Access-Control-Allow-Origin from pages in the proxy."
        )
    return None
