"""Lets the maps of a column that holds texts, too, be read as maps are: `address.city` is NULL where there is a text.

Such a column is text, of maps their JSON. DuckDB takes no field of a text, and reads as JSON only what is some.
"""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.schema import AttributeType, Column, Path, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.binding.unshaped_fields import JsonPlace, key_of
from mcp_server.sql.trees import nodes_of

_JSON = exp.DataType.build("JSON", dialect="duckdb")
_NESTED = frozenset({AttributeType.MAP, AttributeType.LIST})
_FIELDS = (exp.Dot, exp.Bracket, exp.StructExtract)


def read_as_maps(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> frozenset[JsonPlace]:
    """Puts what reads JSON as a text in the place of fields of such columns, and TRY_CAST where JSON is asked for.

    Columns have their sources. A number is its text, as everywhere in a column of several types. Tells of what
    fields are read.
    """
    mixed = columns_that(may_hold_maps, query, internal, spelling)
    if mixed is None:
        return frozenset()
    read = set[JsonPlace]()
    for column in nodes_of(query, exp.Column):
        origin = mixed(column)
        if origin is None:
            continue
        as_json = exp.TryCast(this=column.copy(), to=_JSON.copy())
        node, path = _field(column)
        if path is not None:
            read.update(JsonPlace(origin, whole) for whole in _maps_on_the_way(column, node))
            literal = exp.Literal.string(path)
            node.replace(exp.Paren(this=exp.JSONExtractScalar(this=as_json, expression=literal)))
        elif _reads_json(column):
            column.replace(as_json)
    return frozenset(read)


def may_hold_maps(column: Column) -> bool:
    """Whether maps are among the values of a column of texts."""
    return column.type.kind is TypeKind.VARCHAR and bool(column.attribute_types & _NESTED)


def _field(column: exp.Column) -> tuple[exp.Expr, str | None]:
    """The largest expression that takes a field of a column's map, and its path in JSON; None where there is none."""
    node: exp.Expr = column
    path = "$"
    while isinstance(around := node.parent, _FIELDS) and around.this is node:
        step = _step(around)
        if step is None or (path == "$" and step.startswith("[")):  # a list is read as one
            break
        node, path = around, path + step
    return node, path if node is not column else None


def _maps_on_the_way(column: exp.Expr, access: exp.Expr) -> list[Path]:
    """The paths in a column to what an access around it takes fields of."""
    found = list[Path]()
    path: Path = ()
    node = column
    while node is not access:
        assert node.parent is not None  # the access is around the column
        node = node.parent
        key = key_of(node)
        if key is not None:
            found.append(path)
        path = (*path, key)
    return found


def _step(access: exp.Expr) -> str | None:
    match access:
        case exp.Dot(expression=exp.Identifier() as name):
            return _key(str(name.name))
        case (
            exp.Bracket(expressions=[exp.Literal(is_string=True) as name])
            | exp.StructExtract(expression=exp.Literal(is_string=True) as name)
        ):
            return _key(str(name.this))
        case exp.Bracket(expressions=[exp.Literal(is_string=False) as place]) if str(place.this).isdecimal():
            return f"[{int(place.this) - 1}]" if int(place.this) else None
    return None


def _key(name: str) -> str | None:
    """A key as DuckDB's paths in JSON have it; none of one with a sign that those have no way to write."""
    return f'."{name}"' if '"' not in name and "\\" not in name else None


def _reads_json(column: exp.Column) -> bool:
    around = column.parent
    if isinstance(around, exp.Anonymous):
        return str(around.this).lower().startswith("json_") and around.expressions[0] is column
    return isinstance(around, exp.JSONExtract | exp.JSONExtractScalar) and around.this is column
