"""What passes the gate, and cannot be bound or evaluated since it means something else in other databases."""

from collections.abc import Iterator, Sequence

from mcp_server.sql.gate.foreign.functions import with_our_functions
from mcp_server.sql.gate.foreign.pieces import Edit, Piece, closing, edited, outside_brackets, pieces
from mcp_server.sql.gate.foreign.syntax import with_our_syntax

_ROW_NUMBERS = ("rownum",)
_OF_GROUPS = ("group", "having", "order", "limit", "distinct", "union", "except", "intersect", "minus", "or", "qualify")
"""Words of queries in which the first rows are not those of a LIMIT."""


def with_our_names(text: str) -> str:
    """A statement in which a name is no column's: `SYSDATE`, `ROWNUM <= 3`, `DATEPART(month, x)`, `x IS MISSING`."""
    for edits in (_times, _row_numbers):
        text = edited(text, edits(pieces(text)))
    return with_our_functions(with_our_syntax(text))


def with_our_operators(text: str, told: str) -> str:
    """A statement of which DuckDB told that it cannot evaluate it: only what it blames is written otherwise."""
    if "Chained comparisons" in told or ("&&(" in told and "[]" not in told):
        text = edited(text, _conjunctions(pieces(text)))
    if "+(" in told and ("VARCHAR" in told or "STRING_LITERAL" in told):
        text = edited(text, _concatenations(pieces(text)))
    if "element_at(" in told and "[]" in told:
        text = with_our_functions(text, also=("element_at",))
    return text


def _times(found: Sequence[Piece]) -> Iterator[Edit]:
    for place, piece in enumerate(found):
        is_part = _text_at(found, place - 1) == "." or _text_at(found, place + 1) in ("(", ".")
        if piece.is_word("sysdate", "systimestamp") and not is_part:
            yield piece.start, piece.end, "now()"


def _row_numbers(found: Sequence[Piece]) -> Iterator[Edit]:
    """`WHERE ROWNUM <= 3` is `LIMIT 3` in a query that neither sorts nor groups its rows."""
    places = [place for place, piece in enumerate(found) if piece.is_word(*_ROW_NUMBERS)]
    if len(places) != 1:
        return
    at = places[0]
    signs = _text_at(found, at + 1) + (_text_at(found, at + 2) if _text_at(found, at + 2) == "=" else "")
    last = at + 1 + len(signs)
    number = _text_at(found, last)
    begin, end = _query_around(found, at)
    before, after = _text_at(found, at - 1).lower(), found[last + 1] if last + 1 < end else None
    is_counted = signs in ("<", "<=") and number.isdecimal() and before in ("where", "and")
    head = found[begin : next((place for place in range(begin, at) if found[place].is_word("where")), at)]
    if not is_counted or any(one.text == "(" for one in head) or (after and not after.is_word("and")):
        return
    if any(found[begin + place].is_word(*_OF_GROUPS) for place in outside_brackets(found[begin:end])):
        return
    if before == "where" and after is not None:
        yield found[at].start, found[last + 2].start, ""
    else:
        yield found[at - 2].end, found[last].end, ""
    yield found[end - 1].end, found[end - 1].end, f" LIMIT {int(number) - (signs == '<')}"


def _query_around(found: Sequence[Piece], at: int) -> tuple[int, int]:
    """The indexes between which the brackets stand that enclose a place, or the whole statement."""
    opened = (place for place in range(at, -1, -1) if found[place].text == "(")
    for place in opened:
        end = closing(found, place)
        if end is not None and end > at:
            return place + 1, end
    return 0, next((place for place in range(at, len(found)) if found[place].text == ";"), len(found))


def _conjunctions(found: Sequence[Piece]) -> Iterator[Edit]:
    for place, piece in enumerate(found[:-1]):
        if piece.text == "&" and found[place + 1].text == "&" and piece.end == found[place + 1].start:
            yield piece.start, found[place + 1].end, "AND"


def _concatenations(found: Sequence[Piece]) -> Iterator[Edit]:
    """`a + '-' + b` is `a || '-' || b`: sums with a text that is no number."""
    signs = {place for place, piece in enumerate(found) if piece.text == "+" and piece.kind == "sign"}
    texts = {place for place, piece in enumerate(found) if piece.kind == "text" and not _has_digit(piece.text)}
    joined = {sign for sign in signs if {sign - 1, sign + 1} & texts}
    while more := {sign for sign in signs - joined if _neighbours(found, sign) & joined}:
        joined |= more
    for place in joined:
        yield found[place].start, found[place].end, "||"


def _neighbours(found: Sequence[Piece], sign: int) -> set[int]:
    """The indexes behind the operand after a sign, and before the operand before it; operands are names or texts."""
    after = sign + 2
    while _text_at(found, after) == ".":
        after += 2
    before = sign - 2
    while before > 0 and found[before].text == ".":
        before -= 2
    operands = [found[one] for one in (sign - 1, sign + 1) if 0 <= one < len(found)]
    return {before, after} if all(one.kind in ("word", "name", "text") for one in operands) else set()


def _has_digit(text: str) -> bool:
    return any(one.isdigit() for one in text)


def _text_at(found: Sequence[Piece], place: int) -> str:
    return found[place].text if 0 <= place < len(found) else ""
