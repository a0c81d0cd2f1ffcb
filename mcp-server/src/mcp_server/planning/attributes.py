"""Which attributes of an item, and which fields within them, the columns of a table are made of."""

from collections.abc import Iterable, Iterator, Sequence

from mcp_server.domain.schema import Column, ColumnType, Table

DocumentPath = tuple[str, ...]
"""An attribute, and the field within it, if it is not all of it."""


def attributes_of(table: Table, columns: Iterable[str]) -> list[str]:
    """The attributes that have to be read for these columns, and to tell whether the item is there at all."""
    names = list(columns)
    if table.virtual is not None:
        slots = table.virtual.slots
        names = [name for name in names if name not in slots] + list(table.virtual.attributes)
    if table.restriction is not None:
        names += [rule.attribute for rule in table.restriction.rows]
    return list(dict.fromkeys(names))


def is_partial(column: Column, table: Table) -> bool:
    """Whether a relation's column has only some fields of the table's."""
    whole = table.column(column.name)
    return whole is not None and whole.type != column.type


def document_paths(table: Table, columns: Sequence[Column]) -> list[DocumentPath]:
    """What has to be read for these columns, which may be partial."""
    partial = {column.name: column.type for column in columns if is_partial(column, table)}
    found: list[DocumentPath] = []
    for name in attributes_of(table, [column.name for column in columns]):
        whole = table.column(name)
        if name in partial and whole is not None:
            found += _paths((name,), partial[name], whole.type)
        else:
            found.append((name,))
    return found


def _paths(path: DocumentPath, type_: ColumnType, whole: ColumnType) -> Iterator[DocumentPath]:
    if type_ == whole:
        yield path
        return
    fields = dict(whole.fields)
    for name, field in type_.fields:
        yield from _paths((*path, name), field, fields[name])
