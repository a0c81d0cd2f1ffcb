"""`auth-server doctor`."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from auth_server.app import operators
from auth_server.cli.output import show
from auth_server.cli.running import run
from auth_server.cli.style import AsJson
from auth_server.domain.finding import Finding, Verdict
from shared_kernel import resource as resources


def examine(
    url: Annotated[str, typer.Argument(metavar="URL", help="The issuer's URL, as clients know it.")],
    resource: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="An MCP server of the deployment; may be repeated.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a deployment from outside, and name each fault with its remedy. Needs no settings.

    The exit status is 1 if there is a fault.
    """
    for given in (url, *(resource or ())):
        _check_url(given)
    if url.endswith("/"):
        raise typer.BadParameter("an issuer has no slash at its end")
    findings = run(operators.examine(url, resource or ()))
    counts = {verdict.value: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    document = {"issuer": url, "findings": [_document(finding) for finding in findings], **counts}
    total = f"ok: {counts['ok']}, warnings: {counts['warning']}, faults: {counts['fault']}"
    show(as_json, document, "\n".join([*map(_line, findings), total]))
    raise typer.Exit(1 if counts["fault"] else 0)


def _check_url(url: str) -> None:
    try:
        resources.canonical(url)
    except resources.MalformedResource:
        raise typer.BadParameter(f"not an absolute http(s) URL: {url}") from None
    if urlsplit(url).query:
        raise typer.BadParameter(f"has a query: {url}")


def _line(finding: Finding) -> str:
    remedy = f". {finding.remedy}" if finding.remedy else ""
    return f"{finding.verdict.value:8} {finding.check.value:18} {finding.url}  {finding.text}{remedy}"


def _document(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check.value,
        "verdict": finding.verdict.value,
        "url": finding.url,
        "text": finding.text,
        "remedy": finding.remedy,
    }
