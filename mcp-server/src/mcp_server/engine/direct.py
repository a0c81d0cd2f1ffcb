"""Answers statements that need no relational engine from the pages of their one read."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import pyarrow as pa

from mcp_server.engine.limits import Limits
from mcp_server.engine.plan_cache import Plan
from mcp_server.planning.direct import Direct, kept
from mcp_server.planning.explain import WithoutDuckDb
from mcp_server.planning.plan import Relation
from mcp_server.planning.predicate import Predicate, columns_of
from mcp_server.ports.relational import Input, Result, ResultColumn

_Batches = AsyncGenerator[pa.RecordBatch]


def without_duckdb(plan: Plan, limits: Limits) -> WithoutDuckDb | None:
    """Of how much a plan's statement is answered here; None where it never is."""
    selected = plan.query.direct
    if selected is None or not limits.direct_rows:
        return None
    by_response = plan.resumable() is not None or plan.first_rows() is not None
    if selected.ordered and not by_response:
        return None
    return WithoutDuckDb(limits.direct_rows, limits.direct_bytes, by_response)


async def answer(direct: Direct, relation: Relation, only: Input, limits: Limits) -> Result | Input:
    """The result, once all of the input is read or as many rows as are wanted.

    A read of more than `direct_rows` or `direct_bytes` is left to the relational engine, which is faster with many: it
    comes back as an input from its first row on.
    """
    found = await _rows(direct, relation, only.batches, limits)
    if not isinstance(found, list):
        return replace(only, batches=found)
    return _selected(direct, relation, pa.Table.from_batches(found, only.schema))


def numbered(direct: Direct, relation: Relation, schema: pa.Schema, batch: pa.RecordBatch | None) -> Result:
    """What is selected of a batch, with one column more: the number of each row in the batch."""
    places = meeting(direct.conditions, relation, batch) if batch is not None else []
    taken = [batch.take(pa.array(places, pa.int64()))] if batch is not None else []
    result = _selected(direct, relation, pa.Table.from_batches(taken, schema))
    numbers = pa.array(places, pa.int64())
    table = result.table.append_column("item", numbers)
    return Result((*result.columns, ResultColumn("item", "BIGINT")), table, complete=True)


def _selected(direct: Direct, relation: Relation, rows: pa.Table) -> Result:
    names = [output.name for output in direct.outputs]
    table = rows.select([output.position for output in direct.outputs]).rename_columns(names)
    types = (relation.columns[output.position].type.sql for output in direct.outputs)
    return Result(tuple(map(ResultColumn, names, types)), table, complete=True)


async def _rows(
    direct: Direct, relation: Relation, batches: _Batches, limits: Limits
) -> list[pa.RecordBatch] | _Batches:
    read: list[pa.RecordBatch] = []
    found: list[pa.RecordBatch] = []
    rows = size = 0
    wanted = direct.limit
    if wanted == 0:
        return found
    async for batch in batches:
        read.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > limits.direct_rows or size > limits.direct_bytes:
            return _again(read, batches)
        matching = _matching(direct, relation, batch)
        if wanted is not None:
            matching = matching.slice(0, wanted)
            wanted -= matching.num_rows
        found.append(matching)
        if wanted == 0:
            break
    return found


def _matching(direct: Direct, relation: Relation, batch: pa.RecordBatch) -> pa.RecordBatch:
    places = meeting(direct.conditions, relation, batch)
    return batch if len(places) == batch.num_rows else batch.take(pa.array(places, pa.int64()))


def meeting(conditions: Sequence[Predicate], relation: Relation, batch: pa.RecordBatch) -> list[int]:
    """The places of the rows that meet all conditions, of which it is certain."""
    used = {name for condition in conditions for name in columns_of(condition)}
    values = {
        column.name: batch.column(place).to_pylist()
        for place, column in enumerate(relation.columns)
        if column.name in used
    }
    return kept(conditions, values, batch.num_rows)


async def _again(read: list[pa.RecordBatch], batches: _Batches) -> _Batches:
    async with aclosing(batches):
        while read:
            yield read.pop(0)
        async for batch in batches:
            yield batch
