"""Which attributes of an item the columns of a table are made of."""

from collections.abc import Iterable

from mcp_server.domain.schema import Table


def attributes_of(table: Table, columns: Iterable[str]) -> list[str]:
    """The attributes that have to be read for these columns, and to tell whether the item is there at all.

    They are read whole, also where a statement only names fields of a map: of an item that holds something else in the
    map's place, DynamoDB would return nothing for a field, as if the attribute were missing.
    """
    names = list(columns)
    if table.virtual is not None:
        slots = table.virtual.slots
        names = [name for name in names if name not in slots] + list(table.virtual.attributes)
    if table.restriction is not None:
        names += [rule.attribute for rule in table.restriction.rows]
    return list(dict.fromkeys(names))
