"""What commands print: text for people, or one JSON document for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer

_FLAGS = {True: "yes", False: "no"}


def show(as_json: bool, document: Mapping[str, Any], text: str) -> None:
    """Prints the document, or the text."""
    typer.echo(json.dumps(document) if as_json else text)


def show_list(
    as_json: bool,
    name: str,
    documents: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    flags: Mapping[bool, str] = _FLAGS,
) -> None:
    """Prints the documents under a name, or these fields of each as a table without a head.

    `flags` are the words for true and false in that table.
    """
    if as_json:
        typer.echo(json.dumps({name: documents}, indent=2))
        return
    rows = [[_cell(document[column], flags) for column in columns] for document in documents]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))] if rows else []
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_one(as_json: bool, document: Mapping[str, Any]) -> None:
    """Prints the document, or its fields one per line."""
    width = max(map(len, document))
    show(as_json, document, "\n".join(f"{name:{width}}  {_cell(value)}".rstrip() for name, value in document.items()))


def fail(message: str, code: str, *, retry_after: int | None = None) -> NoReturn:
    """Ends the program with one line on standard error, a JSON object if --json was given."""
    document: dict[str, Any] = {"error": code, "message": message}
    if retry_after is not None:
        document["retry_after"] = retry_after
    typer.echo(json.dumps(document) if "--json" in sys.argv[1:] else f"auth-server: {message}", err=True)
    sys.exit(1)


def _cell(value: Any, flags: Mapping[bool, str] = _FLAGS) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, bool):
        return flags[value]
    return "" if value is None else str(value)
