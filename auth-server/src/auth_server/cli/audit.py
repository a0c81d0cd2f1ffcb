"""`auth-server audit` and `auth-server flow`."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from auth_server.app import operators
from auth_server.cli.output import fail, show, show_list
from auth_server.cli.running import with_settings
from auth_server.cli.style import RANDOM_ARGUMENT, AsJson, group
from auth_server.domain.audit import AuditEvent, BrokenTrail, UnreadableBatch, Verification
from auth_server.flows.administration.audit import Audit, Explanation
from auth_server.flows.administration.documents import moment
from auth_server.flows.administration.story import Step
from auth_server.settings import Settings
from shared_kernel.clock import SystemClock

commands = group("Read and verify the audit trail.")
flow_commands = group("Explain what happened between a client and a person.")

T = TypeVar("T")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d{1,9})([smhd])")
_ANCHOR = re.compile(r"(\d{1,15}):([0-9a-f]{64})")
Since = Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 30m, 24h, 7d.", show_default=True)]


@commands.command("verify")
def verify(
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="SEQUENCE:HASH",
            help="A batch that must be in it, as audit_head in the log names it; several are possible.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look whether any batch of the trail was changed, removed, or put elsewhere."""
    expected = dict(map(_anchor, expect or []))

    async def judge(settings: Settings) -> Verification:
        async with operators.audit(settings) as audit:
            return await audit.verify(expected, SystemClock().now() - settings.audit_days * _UNITS["d"])

    try:
        found = with_settings(judge)
    except BrokenTrail as broken:
        fail(f"the audit trail is broken at batch {broken.sequence}: {broken.misfit.value}", "broken_trail")
    last = found.last
    document = {
        "batches": found.batches,
        "events": found.events,
        "sequence": last.sequence if last else None,
        "hash": last.hash.hex() if last else None,
    }
    text = f"The trail is whole: {found.events} events in {found.batches} batches."
    if last:
        text += f" It ends with {last.sequence}:{last.hash.hex()}"
    show(as_json, document, text)


@commands.command("list")
def list_events(
    since: Since = "1h",
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="Of that person.", show_default=False)
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client", metavar="CLIENT_ID", help="Of that client.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what happened, in order."""
    start = _start(since)

    async def read(audit: Audit) -> list[AuditEvent]:
        return [event async for event in audit.events(start, user=user, client_id=client_id)]

    columns = ("at", "event", "reason", "client_id", "user_id", "address", "gid", "request_id")
    show_list(as_json, "events", [_document(event) for event in _read(read)], columns)


@flow_commands.command("explain", context_settings=RANDOM_ARGUMENT)
def explain(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="What an error or a page calls its reference (request_id), or the `gid` of tokens.",
            show_default=False,
        ),
    ],
    since: Since = "24h",
    as_json: AsJson = False,
) -> None:
    """Tell in plain words what happened, why it was refused, and who must change what."""
    start = _start(since)
    found = _read(lambda audit: audit.explain(identifier, start))
    show(as_json, _explanation(found), "\n".join(story_lines(found)))


def _read(action: Callable[[Audit], Awaitable[T]]) -> T:
    async def act(settings: Settings) -> T:
        async with operators.audit(settings) as audit:
            return await action(audit)

    try:
        return with_settings(act)
    except UnreadableBatch:
        fail("the audit trail cannot be read; see `auth-server audit verify`", "broken_trail")


def _start(since: str) -> float:
    found = _SPAN.fullmatch(since)
    if found is None:
        raise typer.BadParameter("--since takes a number and s, m, h or d: 30m, 24h, 7d")
    return SystemClock().now() - int(found[1]) * _UNITS[found[2]]


def _anchor(text: str) -> tuple[int, bytes]:
    found = _ANCHOR.fullmatch(text)
    if found is None:
        raise typer.BadParameter("--expect takes a number, a colon, and 64 hexadecimal digits")
    return int(found[1]), bytes.fromhex(found[2])


def _document(event: AuditEvent) -> dict[str, Any]:
    return {
        "at": moment(event.time_ms / 1000),
        "event": event.name.value,
        "gid": event.flow_id or None,
        "request_id": event.request_id or None,
        "client_id": event.client_id or None,
        "user_id": event.user_id or None,
        "address": event.address or None,
        "reason": event.reason or None,
        "alarm": event.is_alarm,
        "facts": dict(event.facts),
    }


def _step(step: Step) -> dict[str, Any]:
    remedy = step.remedy
    return {
        **_document(step.event),
        "text": step.text,
        "told": step.told or None,
        "cause": remedy.cause if remedy else None,
        "who_can_change_it": remedy.party.value if remedy else None,
        "remedy": remedy.text if remedy else None,
    }


def _explanation(found: Explanation) -> dict[str, Any]:
    return {
        "gid": found.flow_id or None,
        "client_id": found.client_id or None,
        "client_name": found.client_name or None,
        "user_id": found.user_id or None,
        "email": found.email or None,
        "steps": [_step(step) for step in found.steps],
        "findings": list(found.findings),
        "nearby": [_step(step) for step in found.nearby],
    }


def story_lines(found: Explanation) -> list[str]:
    """The story as a support engineer reads it."""
    lines = [
        f"Flow      {found.flow_id or 'none: the request led to no sign-in and no token'}",
        f"Client    {_named(found.client_name, found.client_id)}",
        f"Person    {_named(found.email, found.user_id)}",
        "",
    ]
    lines += _told(found.steps)
    if found.findings:
        lines += ["", "What it came to", *(f"  {each}" for each in found.findings)]
    if found.nearby:
        title = "The same client at about the same time, from the same address (nothing proves that it belongs to this)"
        lines += ["", title, *_told(found.nearby)]
    return lines


def _told(steps: Sequence[Step]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        event = step.event
        place = " ".join(filter(None, (event.address and f"from {event.address}", event.request_id)))
        lines.append(f"{moment(event.time_ms / 1000)}  {'ALARM: ' if step.is_alarm else ''}{step.text}")
        lines.append(f"{'':22}{place}")
        if event.reason:
            lines.append(f"{'':22}Reason: {event.reason}. The client was told: {step.told}")
        if step.remedy:
            lines.append(f"{'':22}{step.remedy.cause}")
            lines.append(f"{'':22}To be changed by {step.remedy.party.value}: {step.remedy.text}")
    return [line.rstrip() for line in lines]


def _named(name: str, identifier: str) -> str:
    if not identifier:
        return "unknown"
    return f"{name} ({identifier})" if name else f"{identifier} (not known any more)"
