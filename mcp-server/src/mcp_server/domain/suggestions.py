"""Proposes virtual tables for a table in single-table design, from the forms that the keys of its items have."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcp_server.domain.virtual_table import BadTemplate, Template

_SEPARATORS = ("#", "|", ":", "/")
_WORD = re.compile(r"[A-Z][A-Z_]*")
_TIME = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
_LEAST_SHARE = 0.01
"""Kinds that fewer of the items have are taken for accidents."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A virtual table that would hold `items` of those that were looked at."""

    name: str
    forms: tuple[tuple[str, str], ...]
    items: int


def suggestions(keys: Iterable[Mapping[str, str]]) -> tuple[Suggestion, ...]:
    """Virtual tables for items with these keys, the most frequent first; attributes that are no texts are left out.

    A word in capitals is fixed, whatever else stands between separators is a column. Keys without a fixed word have no
    form that tells them from others, and are not proposed.
    """
    kinds: Counter[tuple[tuple[str, str], ...]] = Counter()
    looked_at = 0
    for key in keys:
        looked_at += 1
        forms = tuple((attribute, form) for attribute, value in key.items() if (form := _form(value)) is not None)
        if forms:
            kinds[_with_distinct_columns(forms)] += 1
    found: list[Suggestion] = []
    for forms, items in sorted(kinds.items(), key=lambda one: (-one[1], one[0])):
        if items >= _LEAST_SHARE * looked_at:
            taken = {one.name for one in found}
            found.append(Suggestion(_free(_name(forms), taken), forms, items))
    return tuple(found)


def _form(value: str) -> str | None:
    """The template of a text; None where nothing in it is fixed."""
    separator = next((one for one in _SEPARATORS if one in value), None)
    parts = value.split(separator) if separator is not None else [value]
    made: list[str] = []
    word = ""
    for part in parts:
        if _WORD.fullmatch(part):
            made.append(part)
            word = part.lower()
        elif _TIME.fullmatch(part):
            made.append("{month}" if len(part) == len("2026-01") else "{at}")
        else:
            made.append("{" + (f"{word}_id" if word else "part") + "}")
            word = ""
    form = (separator or "").join(_numbered(made))
    try:
        Template.parse(form)
    except BadTemplate:
        return None
    return form


def _numbered(parts: Sequence[str]) -> list[str]:
    """The parts, in which a column's name that is there before has a number."""
    seen: Counter[str] = Counter()
    made = []
    for part in parts:
        if part.startswith("{"):
            seen[part] += 1
        again = seen[part] > 1
        made.append(f"{part[:-1]}_{seen[part]}}}" if again else part)
    return made


def _with_distinct_columns(forms: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The forms, in which a column of another attribute's form has that attribute in front of its name."""
    taken: set[str] = {attribute for attribute, _ in forms}
    made = []
    for attribute, written in forms:
        form = written
        for slot in Template.parse(written).slots:
            if slot in taken:
                form = form.replace("{" + slot + "}", "{" + f"{attribute}_{slot}" + "}")
        taken |= set(Template.parse(form).slots)
        made.append((attribute, form))
    return tuple(made)


def _name(forms: tuple[tuple[str, str], ...]) -> str:
    """What the items seem to be: by the last key that has a fixed word before a column, else by the first one."""
    words = [(re.findall(r"[A-Z][A-Z_]*", re.sub(r"\{[^}]*\}", "", form)), "{" in form) for _, form in forms]
    chosen = next((found[-1] for found, open_ in reversed(words) if found and open_), None)
    chosen = chosen or next((found[-1] for found, _ in words if found), "items")
    return chosen.lower() if chosen.endswith("S") else f"{chosen.lower()}s"


def _free(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
