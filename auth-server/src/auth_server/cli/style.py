"""How the command line looks: groups whose help shows whole sentences."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _WholeSentences(TyperGroup):
    """Lists every command with the first sentence of its help, wrapped; the library would cut it at 80 columns."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(name, _first_sentence(self.commands[name].help or "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def group(text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        help=text,
        cls=_WholeSentences,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def _first_sentence(text: str) -> str:
    sentence, _, _ = " ".join(text.split()).partition(". ")
    return f"{sentence.removesuffix('.')}."


RANDOM_ARGUMENT = {"ignore_unknown_options": True}
"""For commands whose argument is random base64url, which may begin with a hyphen."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text; errors too.")]
