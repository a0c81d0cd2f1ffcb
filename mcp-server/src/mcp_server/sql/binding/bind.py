"""Binds a statement to the catalogue: every name is resolved, every table reference becomes a relation."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify_columns import qualify_columns, validate_qualify_columns
from sqlglot.optimizer.qualify_tables import qualify_tables
from sqlglot.schema import MappingSchema

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.sources import NaturalWithDocument
from mcp_server.domain.failures.tables import TableNotGiven
from mcp_server.domain.failures.texts import NestedTooDeeply
from mcp_server.domain.schema import DOCUMENT, DOCUMENT_COLUMN, Path, Table
from mcp_server.planning.access_path import DEARER, plan_read
from mcp_server.planning.direct import Direct
from mcp_server.planning.pinned import pinned_read
from mcp_server.planning.plan import Pin, Read, Relation
from mcp_server.planning.stages import staged
from mcp_server.planning.streaming import Stream
from mcp_server.planning.way import read_nothing
from mcp_server.sql.binding.direct import direct_of
from mcp_server.sql.binding.expansion import check_expansion
from mcp_server.sql.binding.meaning import check_meaning
from mcp_server.sql.binding.missing_fields import check_fields
from mcp_server.sql.binding.mixed_values import ComparedNumber, compare_numbers
from mcp_server.sql.binding.nested_values import read_nested_as_json
from mcp_server.sql.binding.numerals import has_numerals, read_as_numbers
from mcp_server.sql.binding.output_names import name_projections, restore_names, star_renames, starred_sources
from mcp_server.sql.binding.references import Reference, references
from mcp_server.sql.binding.resolution import resolve
from mcp_server.sql.binding.resolution_failures import check_groups, resolution_failure
from mcp_server.sql.binding.source_names import InternalNames, name_sources
from mcp_server.sql.binding.spelling import Spelling, respell, spelling_of, spelt_columns
from mcp_server.sql.binding.struct_stars import spread_structs
from mcp_server.sql.binding.unshaped_fields import JsonPlace, JsonValues, read_fields_as_texts
from mcp_server.sql.binding.unshaped_lists import read_as_lists
from mcp_server.sql.binding.unshaped_maps import read_as_maps
from mcp_server.sql.binding.using import merge_columns, merging_queries
from mcp_server.sql.dialect import Dialect, to_sql
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.lowering.conditions import AnyCondition
from mcp_server.sql.lowering.counts import number_name, with_number
from mcp_server.sql.lowering.goals import goal_of, goal_of_exists, with_goal
from mcp_server.sql.lowering.key_links import links_of
from mcp_server.sql.lowering.list_places import lists_from_zero
from mcp_server.sql.lowering.lower import conjuncts, necessary_conditions
from mcp_server.sql.lowering.merging import merged
from mcp_server.sql.lowering.provenance import Provenance
from mcp_server.sql.lowering.streams import stream_of, with_statement
from mcp_server.sql.lowering.text_comparisons import sought_texts
from mcp_server.sql.lowering.unequal_columns import UnequalColumns, unequal_columns
from mcp_server.sql.positions import position_of
from mcp_server.sql.sought_texts import SoughtText
from mcp_server.sql.sources import sources_of
from mcp_server.sql.tables import TableName
from mcp_server.sql.trees import nodes, nodes_of


@dataclass(frozen=True, slots=True)
class Query:
    """A bound query.

    `statement` is SQL for the relational engine, in which each table reference is the name of one of `relations`
    (`r0`, `r1`, …); a relation's columns are taken by position. `stream` is there where the statement can be run over
    one part of its table after the other, `direct` where it needs no such engine. Where it only wants
    the number of a relation's rows, `number` is the name of its one column. `sought` are texts that it looks for in
    vain, as far as samples tell, `unequal` columns that it holds equal in vain, and `from_zero` lists of which it wants
    a place that none has. A `timed` one is bound for one instant, of no use for another.
    """

    statement: str
    relations: tuple[Relation, ...]
    footprint: Footprint
    stream: Stream | None
    direct: Direct | None
    number: str | None
    sought: tuple[SoughtText, ...]
    unequal: tuple[UnequalColumns, ...]
    from_zero: tuple[str, ...]
    timed: bool
    _tree: exp.Query
    _mark: str
    _normalized: str | None = None

    def reads(self, *, consistent: bool, allow_full_scan: bool = False, pin: Pin | None = None) -> tuple[Read, ...]:
        """How each relation is read; where large tables may be scanned, that is weighed like any other way.

        With a `pin`, which a statement of one relation may have, nothing is weighed. Raises Failure: cursor_expired.
        """
        if pin is not None and len(self.relations) == 1:
            return (pinned_read(self.relations[0], pin, consistent=consistent),)
        if self._wants_no_rows:
            reason = "LIMIT 0 asks for no rows, so nothing is read."
            return tuple(read_nothing(relation, reason, consistent=consistent) for relation in self.relations)
        dearer = 1.0 if allow_full_scan else DEARER
        reads = tuple(plan_read(relation, consistent=consistent, dearer=dearer) for relation in self.relations)
        return staged(reads, dearer=dearer)

    def with_normalized_sql(self) -> "Query":
        """The same query, which holds its `normalized_sql`."""
        return replace(self, _normalized=self.normalized_sql)

    @property
    def _wants_no_rows(self) -> bool:
        limit = self._tree.args.get("limit")
        return isinstance(limit, exp.Limit) and limit.expression == exp.Literal.number(0)

    @property
    def normalized_sql(self) -> str:
        """The same query for people: every column with its table, and the names of the catalogue."""
        if self._normalized is not None:
            return self._normalized
        tables = {relation.name: relation.table for relation in self.relations}
        tree = self._tree.copy()
        for node in nodes_of(tree, exp.Table):
            table = tables.get(node.name)
            if table is not None:
                node.set("this", exp.to_identifier(table.name))
                node.set("db", exp.to_identifier(table.schema))
                node.args["alias"].set("columns", None)
        return re.sub(rf"{self._mark}\d+", "", to_sql(tree))


def bind(statement: Statement, default_schema: str, tables: Mapping[TableName, Table]) -> Query:
    """Resolves a statement against `tables`, which has an entry for every one of `statement.tables`.

    Its tree becomes the query's, also where binding fails: a statement is bound once, and of no use afterwards.
    Raises Failure: unknown_column, ambiguous_name, unknown_table, syntax_not_supported, syntax_error.
    """
    try:
        return _bind(statement, default_schema, tables)
    except RecursionError:
        raise Failure(NestedTooDeeply()) from None


def _bind(statement: Statement, default_schema: str, tables: Mapping[TableName, Table]) -> Query:
    text = statement.text
    query, written = statement.expression, statement.nodes
    known = _known_tables(statement, tables)
    if name_projections(written):
        written = nodes(query)
    identifiers = [node for node in written if isinstance(node, exp.Identifier)]
    renamed = star_renames(node for node in written if isinstance(node, exp.Star))
    spelling = spelling_of(known.values(), identifiers)
    names = InternalNames([text, *(column.name for table in known.values() for column in table.columns)])
    merging = merging_queries((node for node in written if isinstance(node, exp.Join)), text)
    internal = name_sources(query, text, default_schema, known, names)
    respell(identifiers, spelling)
    check_expansion(written, identifiers, text)
    spread_structs((node for node in written if isinstance(node, exp.Select)), internal, spelling)
    starred = starred_sources(query)
    with_document = any(identifier.this == DOCUMENT_COLUMN for identifier in identifiers)
    spelt = {name: spelt_columns(table, spelling) for name, table in internal.items()}
    query = _qualified(query, text, internal, spelling, spelt, with_document=with_document)
    merge_columns(merging, text)
    check_fields(query, internal, spelling, text)
    read_nested_as_json(query, internal, spelling)
    if has_numerals(written):
        read_as_numbers(query, internal, spelling)
    json = JsonValues(query, internal, spelling, with_document=with_document)
    numbers = compare_numbers(query, internal, spelling, json)
    maps = read_as_maps(query, internal, spelling)
    maps |= read_fields_as_texts(query, json)
    lists = read_as_lists(query, internal, spelling, json)
    sources = sources_of(query)
    check_meaning(sources, text, names.mark)
    found = references(sources, internal, spelt, text)
    provenance = Provenance(sources, found)
    sought = sought_texts(query, sources, provenance)
    unequal = unequal_columns(query, sources, provenance) if len(found) > 1 else ()
    from_zero = lists_from_zero(sources, found)
    conditions = necessary_conditions(query, sources, found)
    relations = tuple(
        _relation(number, reference, conditions.get(id(reference.node), ()), starred, numbers, maps, lists)
        for number, reference in enumerate(found)
    )
    relations = tuple(map(with_goal, relations, map(goal_of_exists, found, relations)))
    stream = None
    if len(relations) == 1:
        plain, only = merged(query, sources, found[0])
        (relation,) = relations
        if plain is not query:
            conditions = necessary_conditions(plain, sources_of(plain), (only,))
            relation = replace(relation, conjuncts=conjuncts(only, conditions.get(id(only.node), ())))
        whole = goal_of(plain, only, relation)
        relations = (with_number(query, found[0], relation if whole is None else with_goal(relation, whole)),)
        stream = stream_of(plain, only)
        if stream is not None and stream.order is not None:
            relations = (replace(relations[0], order=stream.order),)
    restore_names(query, spelling, renamed, lambda column: _catalogue_name(column, found))
    direct = direct_of(query, found[0], relations[0]) if len(relations) == 1 else None
    number = number_name(query, relations[0]) if len(relations) == 1 else None
    for relation, reference in zip(relations, found, strict=True):
        _rename(reference, relation, spelling)
    stream = with_statement(stream, query)
    footprint, text = _footprint(found), to_sql(query)
    timed = statement.timed
    return Query(
        text, relations, footprint, stream, direct, number, sought, unequal, from_zero, timed, query, names.mark
    )


def _known_tables(statement: Statement, tables: Mapping[TableName, Table]) -> dict[TableName, Table]:
    for name in statement.tables:
        if name not in tables:
            raise Failure(TableNotGiven(name.name))
    return {name: tables[name] for name in statement.tables}


def _qualified(
    query: exp.Query,
    text: str,
    internal: Mapping[str, Table],
    spelling: Spelling,
    spelt: Mapping[str, Mapping[str, str]],
    *,
    with_document: bool,
) -> exp.Query:
    """Every column with its source, every `*` expanded. What sqlglot's `qualify` does, without changing spellings.

    `with_document` tells that something in the statement has the document column's name.
    """
    hidden = {DOCUMENT_COLUMN: "JSON"} if with_document and _names_document(nodes(query), text) else {}
    if resolve(query, spelt):
        return query
    columns: dict[str, object] = {
        name: hidden | {spelling.of(column.name): column.type.sql for column in table.columns}
        for name, table in internal.items()
    }
    visible: dict[str, object] = {
        name: [spelling.of(column.name) for column in table.columns if column.name != DOCUMENT_COLUMN]
        for name, table in internal.items()
    }
    schema = MappingSchema(columns, visible=visible, dialect=Dialect, normalize=False)
    try:
        if not all(map(_is_plain, nodes(query))):
            query = qualify_tables(query, dialect=Dialect)
        query = validate_qualify_columns(qualify_columns(query, schema=schema))
    except (SqlglotError, AssertionError) as error:
        raise resolution_failure(str(error), query, text, internal) from None
    check_groups(query, text, internal)
    return query


def _is_plain(node: exp.Expr) -> bool:
    """Whether `qualify_tables` has nothing to do at a node, given that every source has an alias already."""
    match node:
        case exp.Table():
            return isinstance(node.this, exp.Identifier)
        case exp.Subquery():
            return isinstance(node.this, exp.Select | exp.SetOperation)
        case exp.Column():
            return not node.args.get("db")
    return not isinstance(node, exp.UDTF | exp.Pivot)


def _names_document(found: Sequence[exp.Expr], text: str) -> bool:
    named = next((part for part in found if isinstance(part, exp.Identifier) and part.this == DOCUMENT_COLUMN), None)
    if named is not None and any(isinstance(join, exp.Join) and join.method == "NATURAL" for join in found):
        raise Failure(NaturalWithDocument(), position=position_of(text, named))
    return named is not None


def _relation(
    number: int,
    reference: Reference,
    conditions: Sequence[AnyCondition],
    starred: Collection[str],
    numbers: Collection[ComparedNumber],
    maps: Collection[JsonPlace],
    lists: Collection[JsonPlace],
) -> Relation:
    alias = reference.node.alias_or_name
    columns = tuple(
        column if (type_ := reference.columns[column.name]) is column.type else replace(column, type=type_)
        for column in (*reference.table.columns, DOCUMENT)
        if column.name in reference.columns
    )
    if not columns:
        # The engine cannot take rows without columns; a key is read in any case.
        columns = tuple(column for column in reference.table.columns if column.name == reference.table.hash_key.name)
    return Relation(
        f"r{number}",
        reference.table,
        columns,
        conjuncts(reference, conditions),
        reference.materialise,
        links=links_of(number, reference, conditions),
        starred=alias in starred,
        as_numbers=frozenset((one.column, one.path) for one in numbers if one.source == alias),
        as_maps=_of_relation(maps, alias),
        as_lists=_of_relation(lists, alias),
    )


def _of_relation(places: Collection[JsonPlace], alias: str) -> frozenset[tuple[str, Path]]:
    return frozenset((one.origin.column.name, one.path) for one in places if one.origin.source == alias)


def _rename(reference: Reference, relation: Relation, spelling: Spelling) -> None:
    """Puts the relation in the table's place; its columns get their spelling by position."""
    alias = reference.node.args["alias"]
    alias.set("columns", [exp.to_identifier(spelling.of(column.name)) for column in relation.columns])
    reference.node.set("this", exp.to_identifier(relation.name))


def _catalogue_name(column: exp.Column, found: tuple[Reference, ...]) -> str | None:
    for reference in found:
        if reference.node.alias == column.table:
            return reference.spelt.get(column.name)
    return None


def _footprint(found: tuple[Reference, ...]) -> Footprint:
    columns: dict[tuple[str, str], frozenset[str]] = {}
    for reference in found:
        key = (reference.table.schema, reference.table.name)
        columns[key] = columns.get(key, frozenset()) | frozenset(reference.columns)
    return Footprint(tuple(TableAccess(schema, name, used) for (schema, name), used in columns.items()))
