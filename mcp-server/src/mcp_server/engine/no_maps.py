"""Counts the values that are taken apart and are no maps, or no lists: in columns of several types, and within JSON."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.domain.schema import Path
from mcp_server.engine.stored_parts import below, display_name, in_json, is_json
from mcp_server.planning.plan import Relation


def no_maps(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """How many values of a page are no maps, by what people call them: `"place"`, `deep.a`, `lines[]`.

    `page` has the relation's columns in their order.
    """
    return _others(relation, relation.as_maps, page, dict, "{")


def no_lists(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """The same of lists."""
    return _others(relation, relation.as_lists, page, list, "[")


def _others(
    relation: Relation, asked: Collection[tuple[str, Path]], page: pa.RecordBatch, form: type, begin: str
) -> dict[str, int]:
    found: dict[str, int] = {}
    for column, values in zip(relation.columns, page.columns, strict=True):
        for path in [path for name, path in asked if name == column.name]:
            part, rest = below(values, path)
            if rest:
                others = sum(not isinstance(one, form) for one in in_json(part, rest))
            else:
                # In a column of texts, a map or a list is its JSON.
                texts = part.storage if is_json(part) else part
                others = pc.sum(pc.invert(pc.starts_with(texts, begin))).as_py() or 0
            found[display_name(column.name, path)] = others
    return found
