"""Looks for secrets where none may be."""

from collections.abc import Iterable
from pathlib import Path

_SHORTEST_PART = 16


def parts(secret: str) -> set[str]:
    """A secret and those parts of it that are secret as well: a JWT's payload and signature, a handle's random half."""
    pieces = secret.split(".")
    return {secret} | {piece for piece in pieces[1:] if len(piece) >= _SHORTEST_PART}


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
