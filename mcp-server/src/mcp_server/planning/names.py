"""Finding a name among those that exist: exact spelling first, any case if that is unique, else near names."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


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
    folded = wanted.casefold()
    alike = tuple(name for name in candidates if name.casefold() == folded)
    if len(alike) == 1:
        return Found(alike[0])
    if alike:
        return Ambiguous(alike)
    by_folded = {name.casefold(): name for name in candidates}
    return NotFound(tuple(by_folded[near] for near in get_close_matches(folded, by_folded, n=3, cutoff=0.6)))
