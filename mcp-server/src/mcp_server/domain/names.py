"""Names: how SQL writes a table's, and finding one among those that exist.

Exact spelling comes first, then any case if that is unique, else near names.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from string import ascii_lowercase, ascii_uppercase

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITTEN = re.compile(r'(?:(?:"((?:[^"]|"")+)"|([^".]+))\.)?(?:"((?:[^"]|"")+)"|([^"]+))')
_FOLDING = str.maketrans(ascii_uppercase, ascii_lowercase)


def fold(name: str) -> str:
    """What two names have in common that differ only in case; like DuckDB, of ASCII letters only."""
    return name.lower() if name.isascii() else name.translate(_FOLDING)


def quoted(name: str) -> str:
    """The name as SQL writes it: in double quotes where it needs them."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def read_table_name(written: str) -> tuple[str | None, str]:
    """The schema and the table that `table`, `schema.table` or a quoted form of them names.

    What is no such form is a table's name as it stands.
    """
    match = _WRITTEN.fullmatch(written)
    if match is None:
        return None, written
    quoted_schema, plain_schema, quoted_table, plain_table = match.groups()
    return _unquoted(quoted_schema, plain_schema), _unquoted(quoted_table, plain_table) or written


def _unquoted(in_quotes: str | None, plain: str | None) -> str | None:
    return plain if in_quotes is None else in_quotes.replace('""', '"')


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


def likeliest(wanted: str, near: Sequence[str]) -> str | None:
    """The one that is meant by a name: the only one near, or the only one that it is but for a slip."""
    alike = [one for one in near if len(near) == 1 or is_slip(fold(wanted), fold(one))]
    return alike[0] if len(alike) == 1 else None


def is_slip(written: str, meant: str) -> bool:
    """Whether one letter is missing, added or another one, or two changed places; digits tell names apart."""
    first = next((place for place, pair in enumerate(zip(written, meant, strict=False)) if pair[0] != pair[1]), None)
    first = min(len(written), len(meant)) if first is None else first
    wrong, right = written[first:], meant[first:]
    while wrong and right and wrong[-1] == right[-1]:
        wrong, right = wrong[:-1], right[:-1]
    is_slip = max(len(wrong), len(right)) <= 1 or (len(wrong) == 2 and wrong == right[::-1])
    return is_slip and not any(letter.isdigit() for letter in wrong + right)
