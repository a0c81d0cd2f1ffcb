"""Reads a TOML file of the operator's."""

import tomllib
from pathlib import Path
from typing import Any


class UnreadableFile(Exception):
    """The file is not there, or is not TOML. The text is one line, with the file's name."""


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises UnreadableFile."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror or type(error).__name__}"
        raise UnreadableFile(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: not TOML: {error}"
        raise UnreadableFile(message) from error
