"""Syntax of other databases, written as DuckDB has it; the rest of a statement stays as it is."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mcp_server.sql.gate.foreign.pieces import Edit, Piece, closing, edited, outside_brackets, pieces
from mcp_server.sql.gate.foreign.types import FOREIGN_TYPES

_SET_OPERATIONS = ("union", "except", "intersect", "minus")
_FROM_ZERO = ("offset", "safe_offset")
_FROM_ONE = ("ordinal", "safe_ordinal")
_CASTS = ("cast", "try_cast", "safe_cast")


def with_our_syntax(text: str) -> str:
    """The statement without those spellings that only other databases have."""
    for edits in (_quotes, _subscripts, _separators, _table_hints, _minus, _missing, _top, _types):
        text = edited(text, edits(pieces(text)))
    return text


def with_names_for_brackets(text: str) -> str:
    """The statement with `"name"` for SQL Server's `[name]`; only for one that is none of ours, which may be a list."""
    return edited(text, _bracketed_names(pieces(text)))


def _quotes(found: Sequence[Piece]) -> Iterator[Edit]:
    for piece in found:
        if piece.kind == "name" and piece.text[0] == "`":
            name = piece.text[1:-1].replace("``", "`").replace('"', '""')
            yield piece.start, piece.end, f'"{name}"'


def _bracketed_names(found: Sequence[Piece]) -> Iterator[Edit]:
    for before, name, after in zip(found, found[1:], found[2:], strict=False):
        if (before.text, name.kind, after.text) == ("[", "word", "]"):
            yield before.start, after.end, f'"{name.text}"'


def _subscripts(found: Sequence[Piece]) -> Iterator[Edit]:
    """BigQuery's `[OFFSET(0)]` and `[ORDINAL(1)]` are `[1]`."""
    for place, piece in enumerate(found[:-4]):
        function = found[place + 1]
        end = closing(found, place) if piece.text == "[" and function.is_word(*_FROM_ZERO, *_FROM_ONE) else None
        if end is None or found[place + 2].text != "(" or closing(found, place + 2) != end - 1:
            continue
        inner = found[place + 3 : end - 1]
        if len(inner) == 1 and inner[0].text.isdecimal():
            number = int(inner[0].text) + function.is_word(*_FROM_ZERO)
            yield piece.start, found[end].end, f"[{number}]"


def _separators(found: Sequence[Piece]) -> Iterator[Edit]:
    """`GROUP_CONCAT(DISTINCT a ORDER BY b SEPARATOR '/')` is `string_agg(DISTINCT a, '/' ORDER BY b)`."""
    for place, name in enumerate(found[:-1]):
        end = closing(found, place + 1) if name.is_word("group_concat") and found[place + 1].text == "(" else None
        if end is None:
            continue
        inner = found[place + 2 : end]
        top = [inner[one] for one in outside_brackets(inner)]
        separator = next((one for one in top if one.is_word("separator")), None)
        order = next((one for one in top if one.is_word("order")), separator)
        if separator is None or order is None or inner[-2:-1] != [separator] or any(one.text == "," for one in top):
            continue
        yield name.start, name.end, "string_agg"
        before = inner[inner.index(order) - 1]
        yield before.end, before.end, f", {inner[-1].text}"
        yield inner[inner.index(separator) - 1].end, found[end].start, ""


def _table_hints(found: Sequence[Piece]) -> Iterator[Edit]:
    """`WITH (NOLOCK)` says nothing about what is read."""
    for place, piece in enumerate(found[:-3]):
        words = [one.text.lower() for one in found[place : place + 4]]
        if words == ["with", "(", "nolock", ")"]:
            yield found[place - 1].end if place else piece.start, found[place + 3].end, ""


def _minus(found: Sequence[Piece]) -> Iterator[Edit]:
    for piece, following in pairwise(found):
        if piece.is_word("minus") and following.is_word("select"):
            yield piece.start, piece.end, "EXCEPT"


def _missing(found: Sequence[Piece]) -> Iterator[Edit]:
    """PartiQL's `IS MISSING`: a missing attribute is NULL."""
    for place, piece in enumerate(found):
        before = [one.text.lower() for one in found[max(0, place - 2) : place]]
        if piece.is_word("missing") and (before[-1:] == ["is"] or before == ["is", "not"]):
            yield piece.start, piece.end, "NULL"


def _top(found: Sequence[Piece]) -> Iterator[Edit]:
    """`SELECT TOP 3 a FROM t` is `SELECT a FROM t LIMIT 3`."""
    for place, piece in enumerate(found):
        if not piece.is_word("top") or not place or not found[place - 1].is_word("select", "distinct"):
            continue
        end = closing(found, place + 1) if found[place + 1 : place + 2] and found[place + 1].text == "(" else None
        number = found[place + 2 : end] if end is not None else found[place + 1 : place + 2]
        rest = found[(end if end is not None else place + 1) + 1 :]
        if [one.kind for one in number] != ["number"] or not rest or rest[0].is_word("percent", "with"):
            continue
        query = list(_same_query(rest))
        if any(one.is_word("limit", *_SET_OPERATIONS) for one in query):
            continue
        yield piece.start, rest[0].start, ""
        yield query[-1].end, query[-1].end, f" LIMIT {number[0].text}"


def _types(found: Sequence[Piece]) -> Iterator[Edit]:
    """`SAFE_CAST(x AS FLOAT64)` is `TRY_CAST(x AS DOUBLE)`."""
    for place, piece in enumerate(found[:-1]):
        end = closing(found, place + 1) if piece.is_word(*_CASTS) and found[place + 1].text == "(" else None
        if end is None:
            continue
        if piece.is_word("safe_cast"):
            yield piece.start, piece.end, "TRY_CAST"
        type_ = found[end - 1]
        ours = FOREIGN_TYPES.get(type_.text.lower()) if type_.kind == "word" else None
        if ours is not None and found[end - 2].is_word("as"):
            yield type_.start, type_.end, ours


def _same_query(rest: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces up to the bracket or the semicolon that ends a query, with those in brackets that end in between."""
    depth = 0
    for piece in rest:
        if piece.kind == "sign":
            depth += (piece.text in "([{") - (piece.text in ")]}")
            if depth < 0 or piece.text == ";":
                return
        yield piece
