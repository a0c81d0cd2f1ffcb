"""Reads that wait for others: the rows read of one table name the keys to read of the next.

Whether that costs less than the read by itself is estimated twice: before the run, from the statistics, and once the
values are there, from their number.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

from mcp_server.domain.rejected_index import that_save
from mcp_server.domain.schema import KeyAttribute, Table, TypeKind
from mcp_server.planning.access_path import (
    DEARER,
    SEEN_WHOLE_ITEMS,
    cheapest_way,
    full_scan_of,
    plan_read,
    shared_scan_of,
)
from mcp_server.planning.attribute_values import ScalarValue
from mcp_server.planning.key_conditions import key_value
from mcp_server.planning.key_paths import MAX_KEYS, MAX_QUERIES, Path
from mcp_server.planning.path_estimates import helpful
from mcp_server.planning.plan import Conjunct, Estimate, KeyLink, Read, Relation, Stage
from mcp_server.planning.predicate import AllOf, AnyOf, Comparison, OneOf, Predicate, Value, columns_of
from mcp_server.planning.requests import KeyCondition
from mcp_server.planning.way import Way, get_way, query_way

LEAST_UNITS = 8.0
"""A read that takes less by itself does not wait for others: each stage adds a round trip."""

Key = tuple[Value, ...]
"""The values of a link's columns in one row; none is NULL."""

_Probe = Callable[[str, tuple[str, ...]], Way | None]
"""How rows of a relation, by its name, are read with one value of some columns."""

_ANY_VALUE: Mapping[TypeKind, Value] = {
    TypeKind.VARCHAR: "a",
    TypeKind.BIGINT: 1,
    TypeKind.DECIMAL: Decimal(1),
    TypeKind.DATE: date(2000, 1, 1),
}


def staged(reads: Sequence[Read], *, dearer: float = DEARER) -> tuple[Read, ...]:
    """The reads of a statement, where it pays after others whose rows name their keys; `dearer` as in `plan_read`."""
    if len(reads) < 2 or not any(read.relation.links for read in reads):
        return tuple(reads)
    plans = {read.relation.name: read for read in reads}
    links = [(read.relation.name, link) for read in reads for link in read.relation.links]

    @cache
    def probe(name: str, columns: tuple[str, ...]) -> Way | None:
        # The read stays what it is while it has links to look at.
        return _by_key_alone(plans[name], columns) or _probe(plans[name], columns, dearer)

    in_order = False
    while links:
        if not in_order:
            # The smallest sources first; of the links to the same, the one that names most of the key.
            links.sort(key=lambda one: (_units(plans, one[1]), -len(one[1].columns)))
        stages = (_staged(plans, name, link, probe, dearer) for name, link in links)
        found = next((stage for stage in stages if stage is not None), None)
        if found is None:
            break
        name = found.relation.name
        in_order = found.estimate.read_units == plans[name].estimate.read_units
        plans[name] = found
        links = [one for one in links if one[0] != name]
    _without_free_scans(plans)
    planned = [plans[read.relation.name] for read in reads]
    if not any(read.relation.table.indexes for read in planned):
        return tuple(planned)
    scanned = Counter(map(shared_scan_of, planned))
    return tuple(
        _with_rejected(plans, read, probe)
        if read.relation.table.indexes and (scanned[shared_scan_of(read)] == 1 or shared_scan_of(read) is None)
        else read
        for read in planned
    )


def read_after(read: Read, keys: Iterable[Key]) -> Read:
    """How a staged read is made once the values of its keys are known."""
    stage = read.stage
    if stage is None:
        return read
    found = tuple(keys)
    if len(found) > stage.most:
        return stage.otherwise
    relation = replace(read.relation, conjuncts=(*read.relation.conjuncts, _conjunct(stage.link, found)))
    by_key = plan_read(relation, consistent=read.consistent, dearer=stage.dearer)
    dear = by_key.estimate.read_units > stage.otherwise.estimate.read_units
    return stage.otherwise if by_key.access == "Scan" or (dear and stage.dearer < math.inf) else by_key


def with_conditions(reads: Sequence[Read]) -> tuple[Read, ...]:
    """All reads of a statement; those that wait for others have their conditions where they are applied.

    Only people are told that, so it is found out when they ask: until then all but the key is left for here.
    """
    plans = {read.relation.name: read for read in reads}
    return tuple(
        read if read.stage is None else _with_conditions(read, read.stage, _tables(plans, read.stage.link))
        for read in reads
    )


def _with_conditions(read: Read, stage: Stage, tables: Sequence[str]) -> Read:
    """By the read of one key, which leaves out conditions that this key might not meet."""
    way = _probe(read, stage.link.columns, stage.dearer)
    if way is None or (way.access, way.index) != (read.access, read.index):
        return read
    probed = way.read()
    texts = [one.text for one in read.relation.conjuncts]
    there = {one.text for one in probed.relation.conjuncts}
    pushed = tuple(text for text in texts if text in probed.pushed_filters)
    residual = tuple(text for text in texts if text in probed.residual_filters or text not in there)
    by_key = [_named(stage.link, tables), *(text for text in texts if text not in (*pushed, *residual))]
    return replace(read, key_condition=" AND ".join(by_key), pushed_filters=pushed, residual_filters=residual)


def _conjunct(link: KeyLink, keys: Sequence[Key]) -> Conjunct:
    named = " and ".join(f"{_listed(source.columns)} in {source.relation}" for source in link.sources)
    text = f"{_listed(link.columns)} IN ({len(keys)} values of {named})"
    return Conjunct(text, _predicate(link.columns, keys), False, never=not keys)


def _predicate(columns: Sequence[str], keys: Sequence[Key]) -> Predicate | None:
    if not keys:
        return None
    if len(columns) == 1:
        return OneOf(columns[0], tuple(key[0] for key in keys))
    rows = [AllOf(tuple(map(_equal, columns, key))) for key in keys]
    return AnyOf(tuple(rows)) if len(rows) > 1 else rows[0]


def _equal(column: str, value: Value) -> Comparison:
    return Comparison(column, "=", value)


def _staged(plans: Mapping[str, Read], name: str, link: KeyLink, probe_of: _Probe, dearer: float) -> Read | None:
    """The read after the link's sources; None where it does not pay, or one of them waits for it."""
    if not _may_wait(plans, name, link):
        return None
    read, sources = plans[name], _sources(plans, link)
    alone = read.estimate.read_units
    probe = probe_of(name, link.columns)
    if probe is None or probe.access not in ("GetItem", "Query") or not 0 < probe.estimate.read_units < alone:
        return None
    each = probe.estimate.read_units
    most = min(MAX_KEYS if probe.access == "GetItem" else MAX_QUERIES, math.floor(alone / each))
    # A large table is not scanned unasked, so there keys may even take more: what they take is held to the budget.
    rather_by_key = full_scan_of(read) and dearer > 1
    if rather_by_key:
        most = MAX_KEYS if probe.access == "GetItem" else MAX_QUERIES
    names = _names(read, sources)
    if most < 1 or min(_certain(sources), names) > most:
        return None
    way = f"{'primary keys' if probe.access == 'GetItem' else 'partitions'} to read"
    tables = _tables(plans, link)
    quoted = " and ".join(f'"{table}"' for table in dict.fromkeys(tables))
    estimate = _times(probe.estimate, max(1, min(names, most)), read.estimate)
    return Read(
        relation=read.relation,
        access=probe.access,
        index=probe.index,
        reason=f"The rows read of {quoted} name the {way}. Should they name more than {most:,}, it is a "
        f"{read.access}{f' through {read.index}' if read.index is not None else ''} instead.",
        requests=(),
        key_condition=_named(link, tables),
        pushed_filters=(),
        residual_filters=tuple(one.text for one in read.relation.conjuncts),
        estimate=estimate,
        consistent=read.consistent,
        rejected=that_save(read.rejected, estimate.read_units),
        alternatives=read.alternatives,
        stage=Stage(link, most, read, math.inf if rather_by_key else dearer),
    )


def _may_wait(plans: Mapping[str, Read], name: str, link: KeyLink) -> bool:
    """Whether a read may pay after the link's sources, whatever a key takes; none of them may wait for it."""
    alone = plans[name].estimate.read_units
    if alone < LEAST_UNITS or _units(plans, link) > alone:
        return False
    return not any(_waits_for(plans, source.relation, name) for source in link.sources)


def _sources(plans: Mapping[str, Read], link: KeyLink) -> list[Read]:
    return [plans[source.relation] for source in link.sources]


def _tables(plans: Mapping[str, Read], link: KeyLink) -> tuple[str, ...]:
    """What the tables of a link's sources are called."""
    return tuple(source.relation.table.name for source in _sources(plans, link))


def _units(plans: Mapping[str, Read], link: KeyLink) -> float:
    """What the reads of a link's sources take."""
    return sum([plans[source.relation].estimate.read_units for source in link.sources])


def _names(read: Read, sources: Iterable[Read]) -> int:
    """How many keys of a read the rows of its sources name at most."""
    found = sum(source.estimate.items for source in sources)
    return min(found, read.relation.table.item_count or found)


def _certain(sources: Iterable[Read]) -> int:
    """How many rows are sure to be left of sources: fewer than they read where something narrows them."""
    return sum(source.estimate.items for source in sources if not source.pushed_filters and source.stage is None)


def _with_rejected(plans: Mapping[str, Read], read: Read, probe_of: _Probe) -> Read:
    """The read, with the indexes by which it would take less after others, were they open to it."""
    relation = read.relation
    found = {one.name: one for one in read.rejected}
    hash_keys = [{key.name for key in index.hash_keys} for index in relation.table.indexes]
    for link in relation.links:
        if not any(keys & set(link.columns) for keys in hash_keys) or not _may_wait(plans, relation.name, link):
            continue
        sources = _sources(plans, link)
        probe, names = probe_of(relation.name, link.columns), _names(read, sources)
        if probe is None or min(_certain(sources), names) > MAX_QUERIES:
            continue
        keys = max(1, min(names, MAX_QUERIES))
        units = read.estimate.read_units
        for one in helpful(relation, probe.rejected, units, consistent=read.consistent, times=keys):
            if one.name not in found or one.read_units < found[one.name].read_units:
                found[one.name] = one
    rejected = tuple(found.values())
    return read if rejected == read.rejected else replace(read, rejected=rejected)


def _named(link: KeyLink, tables: Sequence[str]) -> str:
    """The condition that a stage waits for, as SQL for people."""
    values = " and ".join(
        f"{_listed(source.columns)} in {table}" for source, table in zip(link.sources, tables, strict=True)
    )
    return f"{_listed(link.columns)} IN (the values of {values})"


def _probe(read: Read, columns: tuple[str, ...], dearer: float) -> Way | None:
    """How the rows with one value of some columns are read; None where no value stands for one."""
    relation = read.relation
    known = [relation.table.column(name) for name in columns]
    values = [_ANY_VALUE.get(column.type.kind) if column is not None else None for column in known]
    key = tuple([value for value in values if value is not None])
    if len(key) < len(values):
        return None
    conjunct = Conjunct(f"{_listed(columns)} = any", _predicate(columns, [key]), False)
    return cheapest_way(_about_others(relation, columns, conjunct), consistent=read.consistent, dearer=dearer)


def _by_key_alone(read: Read, columns: tuple[str, ...]) -> Way | None:
    """The way that `_probe` finds where there is no other: by a whole primary key, or partition by partition.

    None where anything else might be weighed: an index, a condition on another key, a scan of a small table.
    """
    relation, table = read.relation, read.relation.table
    named = {*columns}
    if table.virtual is not None or table.restriction is not None:
        return None
    if named == {key.name for key in table.key}:
        item = _any_item(table, table.key) if not (table.indexes and relation.conjuncts) else None
        return get_way(relation, (item,), read.consistent) if item is not None else None
    if table.range_key is None or named != {table.hash_key.name}:
        return None
    if table.indexes or table.item_count < SEEN_WHOLE_ITEMS or relation.goal is not None:
        return None
    said = (columns_of(one.predicate) for one in relation.conjuncts if one.predicate is not None)
    item = _any_item(table, (table.hash_key,)) if not any(table.range_key.name in about for about in said) else None
    if item is None:
        return None
    condition = KeyCondition(tuple(item.items()))
    return query_way(relation, Path(None, table.key, (condition,), frozenset(item), 1.0), read.consistent)


def _any_item(table: Table, keys: Iterable[KeyAttribute]) -> dict[str, ScalarValue] | None:
    """One value of each of these keys; None where no value stands for one."""
    item: dict[str, ScalarValue] = {}
    for key in keys:
        column = table.column(key.name)
        value = _ANY_VALUE.get(column.type.kind) if column is not None else None
        told = key_value(value, key, column) if column is not None and value is not None else None
        if told is None:
            return None
        item[key.name] = told
    return item


def _about_others(relation: Relation, columns: tuple[str, ...], one_key: Conjunct) -> Relation:
    """The relation with one key, without conditions that this very key might not meet.

    In a virtual table these are also those on attributes of which the key's columns are parts.
    """
    templates = relation.table.virtual.templates if relation.table.virtual is not None else ()
    parted = {attribute for attribute, template in templates if not set(columns).isdisjoint(template.slots)}
    about = parted.union(columns)
    kept = [
        one for one in relation.conjuncts if one.predicate is not None and columns_of(one.predicate).isdisjoint(about)
    ]
    return replace(relation, conjuncts=(one_key, *kept))


def _waits_for(plans: Mapping[str, Read], name: str, other: str) -> bool:
    """Whether a read waits for another, be it through others, or is it."""
    stage = plans[name].stage
    if name == other or stage is None:
        return name == other
    return any(_waits_for(plans, source.relation, other) for source in stage.link.sources)


def _without_free_scans(plans: dict[str, Read]) -> None:
    """Takes stages back where the table is scanned in any case: one scan serves all references."""
    while True:
        scanned = {shared_scan_of(read) for read in plans.values()} - {None}
        free = [
            name
            for name, read in plans.items()
            if read.stage is not None and shared_scan_of(read.stage.otherwise) in scanned
        ]
        if not free:
            return
        for name in free:
            stage = plans[name].stage
            assert stage is not None
            plans[name] = stage.otherwise


def _times(one: Estimate, keys: int, at_most: Estimate) -> Estimate:
    """What so many keys take, but no more than the read by itself."""
    if one.read_units * keys >= at_most.read_units:
        return at_most
    pages = math.ceil(one.pages * keys / 100) if one.items <= 1 else one.pages * keys
    return Estimate(one.items * keys, pages, one.read_units * keys, round(one.seconds * pages / max(1, one.pages), 3))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) == 1 else f"({', '.join(names)})"
