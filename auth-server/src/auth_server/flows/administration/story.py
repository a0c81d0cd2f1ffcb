"""A flow in plain words: what happened, step by step, what it came to, and what has to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auth_server.domain.audit import AuditEvent, EventName
from auth_server.domain.authorization import CODE_LIFETIME, TRANSACTION_LIFETIME
from auth_server.domain.client import GrantType
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.domain.remedies import REMEDIES, Remedy
from shared_kernel.access_token import LIFETIME

SENTENCES: Mapping[EventName, str] = {
    EventName.REQUEST_PUSHED: "The client pushed its authorization request ahead.",
    EventName.DEVICE_AUTHORIZATION_STARTED: "A device asked for a code to show: {scope} at {resource}.",
    EventName.DEVICE_CODE_ENTERED: "Somebody entered the code of a device, which asks for {scope} at {resource}.",
    EventName.AUTHORIZATION_STARTED: "The client sent a browser here. It asks for {scope} at {resource}, and wants the"
    " answer at {redirect}.",
    EventName.AUTHORIZATION_REFUSED: "The browser was sent back to the client with an error.",
    EventName.SIGN_IN_SHOWN: "The browser was shown the sign-in page.",
    EventName.SIGNED_IN: "The person signed in.",
    EventName.SIGN_IN_FAILED: "Somebody tried to sign in with a wrong address or password.",
    EventName.SIGN_IN_SHED: "So many people were signing in that this one was asked to try again.",
    EventName.SIGN_IN_THROTTLED: "There had been too many attempts to sign in from there; this one was not looked at.",
    EventName.SIGNED_OUT: "The person signed out.",
    EventName.CONSENT_SHOWN: "The person was shown the consent page.",
    EventName.NO_WORKSPACE: "The person belongs to no workspace that the request may be for.",
    EventName.ANOTHER_PERSON: "The client expects another person than this one, who could allow nothing.",
    EventName.CONSENT_GIVEN: "The person allowed {scope} at {resource}, in the workspace {tenant}.",
    EventName.CONSENT_REMEMBERED: "The person had allowed this client {scope} at {resource} before, and was not asked"
    " again; in the workspace {tenant}.",
    EventName.CONSENT_ENDED: "The person's earlier consent to the client was forgotten: it is asked about again.",
    EventName.CONSENT_DENIED: "The person denied it.",
    EventName.DECISION_REPEATED: "The same decision came again, as of a double click, and led where the first did.",
    EventName.DISCONNECTED: "The person disconnected the client on the front page: the grant ended.",
    EventName.TOKENS_ISSUED: "The client was given tokens for {grant_type}: {scope}.",
    EventName.TOKENS_REPLAYED: "The client repeated its request, and got the same tokens again.",
    EventName.GRANT_REVOKED: "A token was revoked, and with it everything given with it.",
    EventName.GRANT_ENDED: "An operator ended the grant; the next line tells who.",
    EventName.INTROSPECTED: "The server {client_id} asked what a token is worth, and was told that it is {answer}.",
    EventName.USERINFO_READ: "The client asked who the person is, and was told.",
    EventName.SIGNING_KEY_ROTATED: "Tokens are signed with the key {key_id} from now on, since the last one had come of"
    " age.",
    EventName.SWEPT: "{rows} entries of the store that had expired were cleared.",
    EventName.AUDIT_FORGOTTEN: "The first {batches} batches of this trail were deleted, older than {days} days.",
    EventName.REFUSED: "A request to {path} was refused, with status {status}.",
    EventName.CLIENT_REGISTERED: "The client registered itself.",
    EventName.CLIENT_DOCUMENT_READ: "The client's metadata document was fetched: it is called {client_name}.",
    EventName.CLIENT_DOCUMENT_UNAVAILABLE: "The client's metadata document could not be fetched: {detail}.",
    EventName.CLIENT_DOCUMENT_INVALID: "The client's metadata document is not valid: {detail}",
    EventName.CLIENT_CHANGED: "The client's registration was changed.",
    EventName.CLIENT_DELETED: "The client was deleted, and with it everything that people had allowed it.",
    EventName.CLIENT_ASSERTION_REFUSED: "The client did not prove who it is by its key: {detail}",
    EventName.IDENTITY_ASSERTION_REFUSED: "The assertion of an identity provider does not hold: {detail}",
    EventName.KEY_SET_UNAVAILABLE: "The keys at {url} could not be fetched: {detail}.",
    EventName.KEY_SET_INVALID: "What is at {url} is not a set of public keys: {detail}",
    EventName.ADMINISTERED: "{administrator} asked for {verb} of {target}: {outcome}.",
    EventName.ADMINISTRATION_REFUSED: "{administrator} may not do this: {verb} of {target}.",
    EventName.AUDIT_COUNTED: "{count} further events of the kind {of} were counted, and not kept one by one.",
    EventName.OTHER: "Something of which this release does not know: {event}.",
    EventName.AUDIT_GAP: "{count} events are missing here: the store was away for too long.",
}
"""What each event says; names in braces are facts of it."""
_SIGN_IN = {EventName.SIGNED_IN, EventName.CONSENT_SHOWN}
_CONSENTS = {EventName.CONSENT_GIVEN, EventName.CONSENT_REMEMBERED}
_ENDS = {EventName.GRANT_REVOKED, EventName.GRANT_ENDED, EventName.DISCONNECTED}
_BEGINNINGS = {EventName.AUTHORIZATION_STARTED, EventName.DEVICE_CODE_ENTERED}


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a story, in words; `told` is what the caller was answered where it was refused."""

    event: AuditEvent
    text: str
    told: str = ""
    remedy: Remedy | None = None

    @property
    def is_alarm(self) -> bool:
        """Whether somebody holds what was given to somebody else."""
        return self.event.is_alarm


def step(event: AuditEvent) -> Step:
    """The event in words."""
    text = SENTENCES[event.name].format_map(_Facts({"client_id": event.client_id, **event.facts}))
    if event.name is EventName.REFUSED and "detail" in event.facts:
        text += f" What is wrong: {event.facts['detail']}"
    if not event.reason:
        return Step(event, text)
    try:
        reason = Reason(event.reason)
    except ValueError:  # of another release
        return Step(event, text, event.reason)
    wire = Refused(reason, Facts(defect=str(event.facts.get("detail", "")))).wire
    return Step(event, text, f"{wire.error}: {wire.description}", REMEDIES[reason])


def findings(events: Sequence[AuditEvent], now: float) -> Sequence[str]:
    """What a flow came to, from its events in order."""
    names = {event.name for event in events}
    found = [_alarm(event) for event in events if event.is_alarm]
    if names & _ENDS:
        found.append("The grant has been revoked. The client must have the person connect again.")
    elif EventName.TOKENS_ISSUED in names:
        found.append(_of_tokens(events, now))
    elif names & _CONSENTS:
        found.append(_of_code(events, now))
    elif EventName.CONSENT_DENIED in names:
        found.append("The person denied it, and the client was told access_denied.")
    elif names & _BEGINNINGS:
        found.append(_of_sign_in(events, names, now))
    return found


def _alarm(event: AuditEvent) -> str:
    return f"ALARM: {REMEDIES[Reason(event.reason)].cause} Compare the addresses, and see the runbook, Alarms."


def _of_sign_in(events: Sequence[AuditEvent], names: set[EventName], now: float) -> str:
    waits = now < events[0].time_ms / 1000 + TRANSACTION_LIFETIME
    until = "so far" if waits else "within the ten minutes that there are for it"
    if EventName.NO_WORKSPACE in names:
        return "Nothing was allowed: add the person to a workspace (`auth-server workspace member add`)."
    if EventName.ANOTHER_PERSON in names:
        return "Nothing was allowed: the client sent an ID token of another person (id_token_hint), who has to sign in."
    if names & _SIGN_IN:
        return f"The person signed in, and has neither allowed nor denied it {until}."
    if EventName.SIGN_IN_FAILED in names or EventName.SIGN_IN_THROTTLED in names:
        return f"Nobody managed to sign in {until}: `auth-server user show` tells whether the account is enabled."
    if EventName.SIGN_IN_SHOWN in names:
        return f"The sign-in page was shown, and nobody signed in {until}."
    return (
        f"The browser did not come for the sign-in page {until}: it was closed, or something blocks redirects or"
        " cookies."
    )


def _of_code(events: Sequence[AuditEvent], now: float) -> str:
    given = next(event for event in events if event.name in _CONSENTS)
    refused = [event for event in events if event.name is EventName.REFUSED and event.time_ms >= given.time_ms]
    if refused:
        age = (refused[-1].time_ms - given.time_ms) / 1000
        late = f" It came {age:.0f} seconds after the code, which lives {CODE_LIFETIME}." if age > CODE_LIFETIME else ""
        return f"The person allowed it, and the client was given no tokens: see the last refusal above.{late}"
    if now < given.time_ms / 1000 + CODE_LIFETIME:
        return "The client has the code, and has not redeemed it yet."
    return (
        f"The code was never redeemed: the client did not call /token within {CODE_LIFETIME} seconds. Either the"
        " browser did not reach its redirect URI (a closed program, another port, a blocked app scheme), or the client"
        " stopped there: it has to take code and state from the redirect and post the code to /token. Its own log"
        " tells more."
    )


def _of_tokens(events: Sequence[AuditEvent], now: float) -> str:
    issued = [event for event in events if event.name is EventName.TOKENS_ISSUED]
    last = issued[-1]
    rest = "Whether they were used stands in mcp-server's log, under the same grant."
    if last.facts.get("grant_type") == GrantType.CLIENT_CREDENTIALS:
        return f"The client got its tokens. {rest}"
    times = "once" if len(issued) == 1 else f"{len(issued)} times, refreshes included"
    is_over = now > last.time_ms / 1000 + LIFETIME
    ended = " The access token has expired, and the client has not come back for another one." if is_over else ""
    return f"The client was given tokens {times}.{ended} {rest}"


class _Facts(dict[str, object]):
    """Facts, with a word for what an event of another release does not have."""

    def __missing__(self, name: str) -> str:
        return "?"
