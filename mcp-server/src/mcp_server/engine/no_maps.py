"""Counts the values of a column of maps and texts of which fields are read, and that are no maps."""

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.planning.plan import Relation


def no_maps(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """How many values of a page are no maps, by column. `page` has the relation's columns in their order.

    A map is its JSON in such a column.
    """
    found: dict[str, int] = {}
    for column, values in zip(relation.columns, page.columns, strict=True):
        if column.name in relation.as_maps:
            found[column.name] = pc.sum(pc.invert(pc.starts_with(values, "{"))).as_py() or 0
    return found
