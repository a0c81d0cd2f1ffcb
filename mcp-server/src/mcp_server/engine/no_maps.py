"""Counts the values of which fields are read, and that are no maps: in a column of maps and texts, or within JSON."""

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.domain.schema import Path
from mcp_server.engine.stored_parts import below, display_name, in_json, is_json
from mcp_server.planning.plan import Relation


def no_maps(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """How many values of a page are no maps, by what people call them: `"place"`, `deep.a`, `lines[]`.

    `page` has the relation's columns in their order.
    """
    found: dict[str, int] = {}
    for column, values in zip(relation.columns, page.columns, strict=True):
        for path in [path for name, path in relation.as_maps if name == column.name]:
            found[display_name(column.name, path)] = _no_maps(values, path)
    return found


def _no_maps(values: pa.Array, path: Path) -> int:
    part, rest = below(values, path)
    if rest:
        return sum(not isinstance(one, dict) for one in in_json(part, rest))
    texts = part.storage if is_json(part) else part  # a map is its JSON in a column of texts
    return pc.sum(pc.invert(pc.starts_with(texts, "{"))).as_py() or 0
