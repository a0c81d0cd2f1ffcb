"""Finding a name among those that exist: exact spelling first, any case if that is unique, else near names."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from string import ascii_lowercase, ascii_uppercase

_FOLDING = str.maketrans(ascii_uppercase, ascii_lowercase)


def fold(name: str) -> str:
    """What two names have in common that differ only in case; like DuckDB, of ASCII letters only."""
    return name.translate(_FOLDING)


@dataclass(frozen=True, slots=True)
class Found:
    """The one name meant."""

    name: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several names differ from the wanted one only in case."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """No such name; `near` are the likeliest, best first."""

    near: tuple[str, ...]


def find_name(wanted: str, names: Iterable[str]) -> Found | Ambiguous | NotFound:
    """Looks `wanted` up: exact names win, otherwise any case if only one name matches so."""
    candidates = tuple(names)
    if wanted in candidates:
        return Found(wanted)
    folded = fold(wanted)
    alike = tuple(name for name in candidates if fold(name) == folded)
    if len(alike) == 1:
        return Found(alike[0])
    if alike:
        return Ambiguous(alike)
    by_folded = {fold(name): name for name in candidates}
    return NotFound(tuple(by_folded[near] for near in get_close_matches(folded, by_folded, n=3, cutoff=0.6)))
