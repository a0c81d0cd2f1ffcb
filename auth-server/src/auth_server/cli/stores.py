"""`auth-server store`."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from auth_server.app import store
from auth_server.cli.output import fail, show
from auth_server.cli.running import account, run, with_settings
from auth_server.cli.style import AsJson, group
from shared_kernel.key_file import read_private_file

commands = group("Make, copy, back up and restore what the server remembers.")

_URL_HELP = "As AUTH_STORE_URL; @FILE names a file (mode 0600) that holds it, for a URL with a password in it."
File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


@commands.command("init")
def init(as_json: AsJson = False) -> None:
    """Make the table that AUTH_STORE_URL names, once, before the first start on DynamoDB."""
    made = with_settings(store.prepare_store)
    show(as_json, {"made": made}, "Made the store." if made else "There is nothing to make: the store is ready.")


@commands.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help=_URL_HELP, show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty store, likewise.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Fill an empty store with everything in another one, of whatever kind. Stop every server of both before."""
    count = run(store.copy_store(_url(source), _url(target), account()))
    show(as_json, {"records": count}, f"Copied {count} records.")


@commands.command("backup")
def backup(file: File, as_json: AsJson = False) -> None:
    """Write the store into a new file, sealed with the master key. The server may run."""
    count = with_settings(lambda settings: store.back_up_store(settings, file, account()))
    show(as_json, {"records": count, "file": str(file)}, f"Wrote {count} records to {file}.")


@commands.command("restore")
def restore(file: File, as_json: AsJson = False) -> None:
    """Fill the store, which must be empty, from a backup made with the same master key."""
    count = with_settings(lambda settings: store.restore_store(settings, file, account()))
    show(as_json, {"records": count}, f"Restored {count} records.")


def _url(given: str) -> str:
    """The URL, never with a password from the command line, which other users of the machine can read."""
    if given.startswith("@"):
        return read_private_file(Path(given.removeprefix("@")))
    if urlsplit(given).password:
        fail("write a URL with a password into a file (mode 0600), and give @FILE instead", "password_in_url")
    return given
