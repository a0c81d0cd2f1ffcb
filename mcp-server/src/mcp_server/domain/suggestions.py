"""Proposes virtual tables for a table in single-table design, from the forms that the keys of its items have."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcp_server.domain.virtual_table import BadTemplate, Template

_SEPARATORS = ("#", "|", ":", "/")
_WORD = re.compile(r"[A-Z][A-Z_]*")
_FIXED_WORD = re.compile(r"(?<![^#|:/])[A-Z][A-Z_]*(?![^#|:/])")
"""Such a word in a form; what stands in braces is none, as no separator stands before it."""
_TIME = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
_LEAST_SHARE = 0.01
"""Kinds that fewer of the items have are taken for accidents."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A virtual table that would hold `items` of those that were looked at, and `others` whose keys have another form.

    There are others where no template tells the two forms apart: `ORG#{org_id}` also fits `ORG#1#USER#2`.
    """

    name: str
    forms: tuple[tuple[str, str], ...]
    items: int
    others: int = 0


def suggestions(keys: Iterable[Mapping[str, str]]) -> tuple[Suggestion, ...]:
    """Virtual tables for items with these keys, the most frequent first; attributes that are no texts are left out.

    A word in capitals is fixed, whatever else stands between separators is a column. Keys without a fixed word have no
    form that tells them from others, and are not proposed. Every form fits the keys that it was made of.
    """
    kinds: Counter[tuple[tuple[str, str], ...]] = Counter()
    looked_at = list(keys)
    for key in looked_at:
        forms = tuple((attribute, form) for attribute, value in key.items() if (form := _form(value)) is not None)
        if any(_FIXED_WORD.search(form) for _, form in forms):
            kinds[_with_distinct_columns(forms)] += 1
    found: list[Suggestion] = []
    for forms, items in sorted(kinds.items(), key=lambda one: (-one[1], one[0])):
        if items >= _LEAST_SHARE * len(looked_at):
            taken = {one.name for one in found}
            fitting = _fitting(forms, looked_at)
            found.append(Suggestion(_free(_name(forms), taken), forms, items, fitting - items))
    return tuple(found)


def _fitting(forms: Sequence[tuple[str, str]], keys: Iterable[Mapping[str, str]]) -> int:
    """How many items a virtual table of these forms would hold."""
    templates = [(attribute, Template.parse(form)) for attribute, form in forms]
    return sum(
        all(attribute in key and template.read(key[attribute]) is not None for attribute, template in templates)
        for key in keys
    )


def _form(value: str) -> str | None:
    """The template of a text; None where nothing in it is fixed."""
    separator = next((one for one in _SEPARATORS if one in value), None)
    parts = value.split(separator) if separator is not None else [value]
    made: list[str] = []
    word = ""
    for part in parts:
        if not part:
            made.append(part)  # what stands in braces has one or more characters
        elif _WORD.fullmatch(part):
            made.append(part)
            word = part.lower()
        elif _TIME.fullmatch(part):
            made.append("{month}" if len(part) == len("2026-01") else "{at}")
        else:
            made.append("{" + (f"{word}_id" if word else "part") + "}")
            word = ""
    form = (separator or "").join(_numbered(made))
    try:
        template = Template.parse(form)
    except BadTemplate:
        return None
    return form if template.read(value) is not None else None


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
    words = [(_FIXED_WORD.findall(form), "{" in form) for _, form in forms]
    chosen = next((found[-1] for found, open_ in reversed(words) if found and open_), None)
    return _plural((chosen or next(found[-1] for found, _ in words if found)).lower())


def _plural(word: str) -> str:
    """More than one of it; a word that ends in a single s is taken for a plural."""
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    if re.search(r"(ss|x|z|ch|sh)$", word):
        return f"{word}es"
    return word if word.endswith("s") else f"{word}s"


def _free(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
