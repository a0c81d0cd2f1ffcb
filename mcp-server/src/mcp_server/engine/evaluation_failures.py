"""What the relational engine reports, in terms of the statement that was sent: where it is, and what may be meant."""

import re
from collections.abc import Sequence
from dataclasses import replace

from mcp_server.domain.failures import Failure, Meant, Position
from mcp_server.domain.failures.values import NotEvaluated, Trouble
from mcp_server.domain.schema import AttributeType, TypeKind
from mcp_server.planning.plan import Read
from mcp_server.ports.relational import EvaluationError
from mcp_server.sql.gate.parse import Statement, meant_instead
from mcp_server.sql.meant_casts import (
    blamed_columns,
    with_moments,
    with_numbers,
    with_numbers_of_parts,
    with_texts,
)
from mcp_server.sql.meant_numbers import with_numerals
from mcp_server.sql.places import part_at
from mcp_server.sql.positions import position_of
from mcp_server.sql.word_places import place_of_set_operation, place_of_window

_INTERNAL_NAME = re.compile(r"(\w)§[0-9]+\b")
_NO_WINDOW = re.compile(r'window "(.+)" does not exist')
_MOMENTS = (("date, ", "DATE"), ("time, ", "TIMESTAMPTZ"))
"""How the forms of samples begin, and the type of what is so written."""
_OF_TYPES = (Trouble.TYPES, Trouble.CONVERSION)
_WITHOUT_PARTS = frozenset(
    {TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE, TypeKind.BOOLEAN, TypeKind.DATE, TypeKind.TIMESTAMPTZ}
)


def failure_of(error: EvaluationError, executed: str, reads: Sequence[Read], statement: Statement | None) -> Failure:
    """The failure; a long text, of which `statement` is None, is not searched for what the error blames."""
    fact = _in_own_names(error.fact, reads)
    if statement is None:
        return Failure(fact)
    place = error.place
    blamed = part_at(statement, executed, place.offset, place.length) if place is not None else None
    position = position_of(statement.text, blamed) if blamed is not None else _place_of_word(fact, statement)
    of_texts = with_numerals(statement, fact.told) if fact.trouble is Trouble.TYPES else None
    if of_texts is not None:
        written, numerals, place_of_first = of_texts
        return Failure(replace(fact, numerals=numerals), position=position or place_of_first, meant=Meant(written))
    texts = blamed_columns(blamed, _texts_among_numbers(reads)) if fact.trouble in _OF_TYPES else ()
    meant = with_numbers(statement, texts, blamed)
    if meant is not None:
        return Failure(replace(fact, texts=texts), position=position, meant=Meant(meant))
    columns = [column for read in reads for column in read.relation.columns]
    of_parts = with_numbers_of_parts(statement, columns, blamed) if fact.trouble in _OF_TYPES else None
    if of_parts is not None:
        return Failure(replace(fact, parts=of_parts[1]), position=position, meant=Meant(of_parts[0]))
    types = _moments_as_texts(reads) if fact.trouble is Trouble.TYPES and blamed is not None else {}
    moments = {name: types[name] for name in blamed_columns(blamed, types)}
    meant = with_moments(statement, types, blamed) if moments and blamed is not None else None
    if meant is not None:
        return Failure(replace(fact, moments=tuple(moments.items())), position=position, meant=Meant(meant))
    meant = with_texts(statement, _without_texts(reads)) if fact.trouble is Trouble.TYPES else None
    if meant is not None:
        return Failure(fact, position=position, meant=Meant(meant))
    return Failure(fact, position=position, meant=meant_instead(statement.text, fact.told))


def _place_of_word(fact: NotEvaluated, statement: Statement) -> Position | None:
    """The place of what the engine blames by its name, or by what is wrong with it."""
    if fact.trouble is Trouble.SET_OPERATION:
        return place_of_set_operation(statement.text, statement.expression)
    window = _NO_WINDOW.search(fact.told)
    return place_of_window(statement.text, statement.expression, window[1]) if window is not None else None


def _texts_among_numbers(reads: Sequence[Read]) -> tuple[str, ...]:
    """The columns of a plan that are text, and hold numbers, too."""
    found = [column for read in reads for column in read.relation.columns if column.type.kind is TypeKind.VARCHAR]
    return tuple(dict.fromkeys(column.name for column in found if AttributeType.NUMBER in column.attribute_types))


def _without_texts(reads: Sequence[Read]) -> tuple[str, ...]:
    """The columns of a plan that hold neither texts nor anything with parts; none that is text in another table."""
    columns = [column for read in reads for column in read.relation.columns]
    texts = {column.name for column in columns if column.type.kind not in _WITHOUT_PARTS}
    return tuple(dict.fromkeys(column.name for column in columns if column.name not in texts))


def _moments_as_texts(reads: Sequence[Read]) -> dict[str, str]:
    """The columns of a plan that are text and hold days or times, as samples tell, with the types of these."""
    types: dict[str, str] = {}
    for column in (column for read in reads for column in read.relation.columns):
        told = column.examples.form if column.examples is not None and column.type.kind is TypeKind.VARCHAR else None
        type_ = next((type_ for form, type_ in _MOMENTS if (told or "").startswith(form)), None)
        if type_ is not None:
            types[column.name] = type_
    return types


def _in_own_names(fact: NotEvaluated, reads: Sequence[Read]) -> NotEvaluated:
    """What DuckDB told in terms of the statement: with the names of its tables and aliases."""
    names = {read.relation.name: read.relation.table.name for read in reads}
    told = _INTERNAL_NAME.sub(r"\1", fact.told)
    if names:
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        told = pattern.sub(lambda match: names[match.group()], told)
    return replace(fact, told=told)
