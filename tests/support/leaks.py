"""Looks for secrets where none may be."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

_SHORTEST_PART = 16


def parts(secret: str) -> set[str]:
    """A secret and those parts of it that are secret as well: a JWT's payload and signature, a handle's random half."""
    pieces = secret.split(".")
    return {secret} | {piece for piece in pieces[1:] if len(piece) >= _SHORTEST_PART}


def telling(heard: Iterable[bytes]) -> set[bytes]:
    """Every string in what was heard that is long enough to be random, and every value of a form."""
    found: set[bytes] = set()
    for text in heard:
        found.update(re.findall(rb"[A-Za-z0-9_-]{%d,}" % _SHORTEST_PART, text))
        form = parse_qsl(text.decode("latin-1"), encoding="latin-1")
        found.update(value.encode("latin-1") for _, value in form if len(value) >= _SHORTEST_PART)
    return found


def leaks(secrets: Iterable[str], files: Iterable[Path]) -> list[str]:
    """Where a secret, or a telling part of it, stands in a file: the file and the secret's first characters."""
    wanted = {part.encode(): secret for secret in secrets for part in parts(secret)}
    assert wanted, "nothing to look for"
    assert all(len(part) >= 8 for part in wanted), "too short to be told apart from ordinary text"
    found = []
    for file in files:
        content = file.read_bytes()
        assert content, f"{file} is empty"
        found += [f"{file.name}: {secret[:6]}..." for part, secret in wanted.items() if part in content]
    return found
