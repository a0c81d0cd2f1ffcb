"""Warnings of texts that a statement compares columns with in vain: 'Germany' where there is 'GERMANY'."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from difflib import get_close_matches

from mcp_server.domain.names import fold
from mcp_server.sql.lowering.provenance import Place, path_of
from mcp_server.sql.lowering.text_comparisons import LONGEST
from mcp_server.sql.lowering.unequal_columns import UnequalColumns
from mcp_server.sql.sought_texts import SoughtText

MOST_WARNINGS = 10
"""Warnings of one statement. Each may list 40 values."""


def unseen_texts(sought: Iterable[SoughtText], *, has_rows: bool) -> tuple[str, ...]:
    """A warning for each text that no sampled item has there, unless the result's rows show that one has it."""
    had, others = list[SoughtText](), list[SoughtText]()
    for one in sought:
        (had if one.filters and has_rows and one.way not in ("order", "up to") else others).append(one)
    if not others:  # as of most statements: what is near to a text takes time to find
        return ()
    disproved = set(map(_sentence, had))
    found = dict.fromkeys(map(_sentence, others))
    return tuple(sentence for sentence in found if sentence is not None and sentence not in disproved)[:MOST_WARNINGS]


def never_equal(pairs: Iterable[UnequalColumns], *, has_rows: bool) -> tuple[str, ...]:
    """A warning for each two columns that are held equal and share no sampled value, unless the rows show one."""
    found = [_apart(one) for one in pairs if not (one.filters and has_rows)]
    return tuple(dict.fromkeys(found))


def _apart(pair: UnequalColumns) -> str:
    names = [f'{place.shown} of "{place.table.name}"' for place in (pair.one, pair.other)]
    likes = [_literal(_an_example(place)) for place in (pair.one, pair.other)]
    return f"No sampled {names[0]} equals any {names[1]}: there is {likes[0]} in one, {likes[1]} in the other."


def _an_example(place: Place) -> str:
    examples = place.part.column.examples
    known = examples.of(path_of(place.part.steps)) if examples is not None else ()
    return known[0] if known else (examples.low or "") if examples is not None else ""


def _sentence(one: SoughtText) -> str | None:
    if len(one.text) > LONGEST:  # which fills a slot
        return None
    if one.wrong_case:
        letters, right = ("capitals", one.text.lower()) if one.case == "lower" else ("small letters", one.text.upper())
        return f"{one.shown} has no {letters}, so it never matches {_literal(one.text)}; write {_literal(right)}."
    if one.is_no_json:
        return (
            f"JSON of {one.shown} never equals {_literal(one.text)}, since its texts have quotes; read them with ->>."
        )
    tables = " or ".join(dict.fromkeys(f'"{place.table.name}"' for place in one.places))
    text = _literal(one.text)
    if not one.unseen():
        return _told_by_form(one, tables, text)
    seen = one.values()
    match one.way:
        case "equals":
            has = text
        case "like" | "ilike":
            has = f"a text {one.way.upper()} {text}"
        case "contains":
            has = f"a text that contains {text}"
        case "starts with" | "ends with":
            has = f"a text that {one.way} {text}"
    told = ", ".join(map(_literal, _near(one.text.strip("%"), seen) or seen))
    return f"No sampled item of {tables} has {has} as {one.shown}; there are {told}."


def _told_by_form(one: SoughtText, tables: str, text: str) -> str | None:
    """What can be said of a text by how the values are written, where they are too many to be told."""
    like = " or ".join(dict.fromkeys(_literal(sample.low) for sample in one.samples() if sample.low is not None))
    day = one.last_day()
    if day is not None and day < date.max:
        following = _literal((day + timedelta(days=1)).isoformat())
        return (
            f"{one.shown} of {tables} holds times like {like}: up to {text} is none of that day. Write < {following}."
        )
    if not one.values() and one.strange():
        if one.way in ("order", "up to"):
            return (
                f"{one.shown} of {tables} is compared as text and written like {like}; {text} is not, so write it so."
            )
        so = "is" if one.way == "equals" else "begins like"
        return f"Every sampled {one.shown} of {tables} is written like {like}; none {so} {text}."
    case = one.other_case()
    if not one.values() and case is not None:
        letters = "small letters" if case == "upper" else "capitals"
        right = one.text.upper() if case == "upper" else one.text.lower()
        return f"No sampled {one.shown} of {tables} has {letters}, as {text} has; write {_literal(right)}."
    return None


def _near(text: str, seen: Sequence[str]) -> list[str]:
    """The values that differ from a text in case only, else those that are most like it."""
    alike = [one for one in seen if fold(one) == fold(text)]
    folded = {fold(one): one for one in seen}
    return alike or [folded[one] for one in get_close_matches(fold(text), folded)]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
