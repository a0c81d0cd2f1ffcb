"""Says which name of a statement could not be resolved, where it stands, and what may have been meant."""

import re
from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp

from mcp_server.domain.failures import Failure, Meant, Position
from mcp_server.domain.failures.columns import (
    AmbiguousColumn,
    AmbiguousSpelling,
    FieldsOfColumns,
    Hint,
    NearColumns,
    NoOutput,
    OutOfReach,
    Pseudocolumn,
    QuotedText,
    UnknownColumn,
    UnquotedColumn,
)
from mcp_server.domain.failures.sources import UnknownSource, Unresolved, WholeRow
from mcp_server.domain.names import Ambiguous, Found, NotFound, find_name, fold, quoted
from mcp_server.domain.schema import Table
from mcp_server.sql.binding.spelling import SPELLING
from mcp_server.sql.gate.foreign.places import UNITS
from mcp_server.sql.gate.parse import meant_instead
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import from_items
from mcp_server.sql.trees import nodes_of
from mcp_server.sql.word_places import place_of_ordinal

_UNKNOWN = re.compile(r"(?:Unknown column: |Column '|Cannot automatically join: )([^'\n]*)")
_AMBIGUOUS = re.compile(r"Ambiguous column '([^']*)'")
_NO_OUTPUT = re.compile(r"Unknown output column: (\d+)")
_NO_TABLE = re.compile(r"Unknown table: ([^'\n]+)")
_TABLE = re.compile(r"for table: '([^']*)'")
_CURLY = "\u201c\u201d\u2018\u2019"
_PSEUDOCOLUMNS = frozenset(Pseudocolumn)


def resolution_failure(message: str, query: exp.Query, text: str, tables: Mapping[str, Table]) -> Failure:
    """The failure behind a message of the resolver; `tables` are those of the query under their internal names."""
    if match := _NO_OUTPUT.search(message):
        return Failure(NoOutput(int(match[1])), position=place_of_ordinal(text, int(match[1])))
    if match := _NO_TABLE.search(message):
        return _unknown_table(match[1], match[1], query, text)
    if match := _AMBIGUOUS.search(message) or _UNKNOWN.search(message):
        name, source = match[1], _TABLE.search(message)
        if source and source[1] and source[1] not in _aliases(query):
            return _unknown_table(source[1], name, query, text)
        holders = _holders(name, query, tables) if not (source and source[1]) else []
        if len(holders) > 1:
            return _ambiguous(name, holders, query, text)
        if not (source and source[1]) and any(fold(one) == fold(name) for one in _written_aliases(query)):
            return Failure(WholeRow(_written(name, query)), position=_place(name, query, text))
        return _unknown(name, query, text, tables.values())
    return Failure(Unresolved())


def check_groups(query: exp.Query, text: str, tables: Mapping[str, Table]) -> None:
    """Refuses a name in HAVING that no source and no output has: the resolver leaves it as it is. Raises Failure."""
    for having in nodes_of(query, exp.Having):
        select = having.parent
        if not isinstance(select, exp.Select) or any(one.name not in tables for one in from_items(select)):
            continue
        known = {fold(one.alias_or_name) for one in select.expressions}
        known |= {fold(held.name) for one in from_items(select) for held in tables[one.name].columns}
        for column in nodes_of(having, exp.Column):
            is_own = not column.table and column.find_ancestor(exp.Select) is select
            if is_own and fold(column.name) not in known:
                also = {one.alias for one in select.expressions if one.alias}
                raise _unknown(column.name, query, text, tables.values(), also)


def _aliases(query: exp.Query) -> set[str]:
    return {alias.name for alias in query.find_all(exp.TableAlias)}


def _written_aliases(query: exp.Query) -> set[str]:
    """The aliases as the statement spells them; those that it leaves to us are tables' names."""
    found = (alias.this for alias in query.find_all(exp.TableAlias))
    return {_spelt(identifier) for identifier in found if identifier is not None}


def _spelt(identifier: exp.Expr) -> str:
    """A name as the statement spells it; that of a table without an alias is the table's."""
    return str(identifier.meta.get(SPELLING, identifier.name))


def _holders(name: str, query: exp.Query, tables: Mapping[str, Table]) -> list[exp.Table]:
    """The sources of the query that an unqualified column stands in which have a column of that name."""
    for column in query.find_all(exp.Column):
        select = column.find_ancestor(exp.Select)
        if column.name == name and not column.table and select is not None:
            found = [one for one in from_items(select) if isinstance(one, exp.Table) and one.name in tables]
            return [one for one in found if any(fold(held.name) == fold(name) for held in tables[one.name].columns)]
    return []


def _unknown_table(table: str, name: str, query: exp.Query, text: str) -> Failure:
    found = find_name(_written(table, query), sorted(_written_aliases(query) - {table}))
    near = found.near[0] if isinstance(found, NotFound) and found.near else None
    return Failure(
        UnknownSource(_written(table, query), near),
        position=_place(table, query, text) or _place(name, query, text),
        meant=_respelt(table, quoted(near), query, text) if near is not None else None,
    )


def _ambiguous(name: str, holders: Iterable[exp.Table], query: exp.Query, text: str) -> Failure:
    written = _written(name, query)
    aliases = (_spelt(one.args["alias"].this) for one in holders)
    choices = tuple(f"{quoted(alias)}.{quoted(written)}" for alias in sorted(aliases))
    return Failure(AmbiguousColumn(written, choices), position=_place(name, query, text))


def _unknown(name: str, query: exp.Query, text: str, tables: Collection[Table], also: Collection[str] = ()) -> Failure:
    written = _written(name, query)
    hint: Hint | None = None
    meant: Meant | None = None
    names = {column.name for table in tables for column in table.columns} | {*also}
    fields = sorted(_fields(written, tables))
    match find_name(written, sorted(names)):
        case Ambiguous(alike):
            return Failure(AmbiguousSpelling(written, alike), position=_place(name, query, text))
        case NotFound() if elsewhere := _elsewhere(written, text):
            hint, meant = elsewhere
        case NotFound() if longer := _longer(name, names, query, text):
            hint, meant = UnquotedColumn(longer[0]), longer[1]
        case NotFound() if fields:
            hint = FieldsOfColumns(tuple(fields))
            meant = _respelt(name, fields[0], query, text) if len(fields) == 1 and "(" not in fields[0] else None
        case NotFound() if written.startswith(tuple(_CURLY)):
            literal = exp.Literal.string(written.strip(_CURLY)).sql()
            hint, meant = QuotedText(literal, typographic=True), _respelt(name, literal, query, text)
        case NotFound(near) if near:
            hint = NearColumns(near)
            meant = _respelt(name, quoted(near[0]), query, text) if len(near) == 1 else None
        case Found(_):
            hint = OutOfReach()
        case _ if fold(written) in _PSEUDOCOLUMNS:
            hint = Pseudocolumn(fold(written))
        case _ if f'"{written}"' in text:
            literal = exp.Literal.string(written).sql()
            hint, meant = QuotedText(literal, typographic=False), _respelt(name, literal, query, text)
    fact = UnknownColumn(written, hint, only_table(tables))
    return Failure(fact, position=_place(name, query, text), meant=meant)


def _elsewhere(name: str, text: str) -> tuple[Hint | None, Meant] | None:
    """What a name says in other databases, and the statement in which DuckDB's word for it stands."""
    word = fold(name)
    meant = meant_instead(text) if word in _PSEUDOCOLUMNS or word in UNITS else None
    if meant is None:
        return None
    return Pseudocolumn(word) if word in _PSEUDOCOLUMNS else None, meant


def _fields(wanted: str, tables: Iterable[Table]) -> set[str]:
    """The parts of maps and of lists of maps that have a name: `address.city`, `unnest(lines).sku`."""
    found = set[str]()
    pending = [(quoted(column.name), column.type) for table in tables for column in table.columns]
    while pending:
        path, type_ = pending.pop()
        for field, of_field in type_.fields:
            pending.append((f"{path}.{quoted(field)}", of_field))
            if fold(field) == fold(wanted):
                found.add(f"{path}.{quoted(field)}")
        if type_.element is not None and type_.element.fields and "(" not in path:
            pending.append((f"unnest({path})", type_.element))
    return found


def _longer(name: str, names: Iterable[str], query: exp.Query, text: str) -> tuple[str, Meant] | None:
    """The column of which a name is the beginning, as `gift` of `gift-note`, and the statement with it in quotes."""
    identifier = _identifier(name, query)
    start = identifier.meta.get("start") if identifier is not None else None
    if not isinstance(start, int):
        return None
    for one in sorted(names, key=len, reverse=True):
        end = start + len(one)
        if len(one) > len(name) and not one.isidentifier() and fold(text[start:end]) == fold(one):
            bracketed = text[start - 1 : start] == "[" and text[end : end + 1] == "]"
            before, after = (start - 1, end + 1) if bracketed else (start, end)
            return one, Meant(f"{text[:before]}{quoted(one)}{text[after:]}")
    return None


def only_table(tables: Iterable[Table]) -> str | None:
    """The only table there is, as SQL writes it."""
    names = {f"{quoted(table.schema)}.{quoted(table.name)}" for table in tables}
    return names.pop() if len(names) == 1 else None


def _respelt(name: str, meant: str, query: exp.Query, text: str) -> Meant | None:
    """The statement with something else in the place of a name, where it has that name once."""
    places = {
        (part.meta["start"], part.meta["end"])
        for part in query.find_all(exp.Identifier)
        if part.name == name and SPELLING in part.meta and "start" in part.meta and "end" in part.meta
    }
    if len(places) != 1:
        return None
    ((start, end),) = places
    return Meant(f"{text[:start]}{meant}{text[end + 1 :]}")


def _identifier(name: str, query: exp.Query) -> exp.Identifier | None:
    return next((part for part in query.find_all(exp.Identifier) if part.name == name and SPELLING in part.meta), None)


def _written(name: str, query: exp.Query) -> str:
    identifier = _identifier(name, query)
    return str(identifier.meta[SPELLING]) if identifier is not None else name


def _place(name: str, query: exp.Query, text: str) -> Position | None:
    identifier = _identifier(name, query)
    return position_of(text, identifier) if identifier is not None else None
