"""From the maps and lists that were seen to the types of structs and lists, as far as they have one shape.

A map whose keys are data, one that is too large, and a list of unlike things are JSON. So is one with fields that only
case keeps apart, which DuckDB takes for one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_server.adapters.decoding.attribute_values import AttributeValue, Digits, MalformedValue, tagged
from mcp_server.adapters.decoding.examples import FewValues
from mcp_server.domain.names import fold
from mcp_server.domain.schema import AttributeType, ColumnType, PartExamples, Path, RarePart, TypeKind

MOST_FIELDS, DEEPEST = 64, 6
_DICTIONARY_FIELDS, _DICTIONARY_MAPS, _DICTIONARY_SHARE = 16, 10, 0.3
"""More fields than this, in as many maps, that are there in less than this share of them on average, are data."""
_RARE_SHARE = 0.2
"""Fields that less than this share of their maps have are rare."""

JSON, VARCHAR = ColumnType(TypeKind.JSON), ColumnType(TypeKind.VARCHAR)
_SCALARS = {AttributeType.STRING: VARCHAR, AttributeType.BOOLEAN: ColumnType(TypeKind.BOOLEAN)}
_TEXTS = frozenset({AttributeType.STRING, AttributeType.NUMBER, AttributeType.BOOLEAN})
_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})
_LADDER = (TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE)
_DIGITS_OF_BIGINT, _PRECISION = 19, 38


@dataclass(slots=True)
class Shape:
    """What some values within maps and lists were."""

    types: set[AttributeType] = field(default_factory=set)
    digits: Digits = field(default_factory=Digits)
    maps: int = 0
    fields: "dict[str, Shape]" = field(default_factory=dict)
    seen: int = 0
    members: "Shape | None" = None
    texts: FewValues = field(default_factory=FewValues)

    def add(self, value: AttributeValue, depth: int = 0) -> None:
        """Takes one value in. Raises MalformedValue."""
        kind, content = tagged(value)
        descriptor = AttributeType(kind)
        self.seen += 1
        if descriptor is AttributeType.NULL:
            return
        self.types.add(descriptor)
        if descriptor is AttributeType.NUMBER:
            self.digits.add(content)
        elif descriptor is AttributeType.STRING:
            self.texts.add(content)
        elif descriptor is AttributeType.MAP and depth < DEEPEST:
            self._add_map(content, depth)
        elif descriptor is AttributeType.LIST and depth < DEEPEST:
            if not isinstance(content, list):
                raise MalformedValue("not a list")
            self.members = self.members or Shape()
            for member in content:
                self.members.add(member, depth + 1)

    def _add_map(self, content: Any, depth: int) -> None:
        if not isinstance(content, dict):
            raise MalformedValue("not a map")
        self.maps += 1
        for name, member in content.items():
            if name in self.fields or len(self.fields) <= MOST_FIELDS:
                self.fields.setdefault(name, Shape()).add(member, depth + 1)

    def type(self) -> ColumnType:
        """The type that carries all of it."""
        if self.types == {AttributeType.MAP}:
            return JSON if self._holds_data() else struct({name: one.type() for name, one in self.fields.items()})
        if self.types == {AttributeType.LIST}:
            return list_of(self.members.type() if self.members is not None and self.members.types else JSON)
        if self.types == {AttributeType.NUMBER}:
            return self.digits.type()
        if len(self.types) == 1:
            return _SCALARS.get(next(iter(self.types)), JSON)
        return VARCHAR if self.types and self.types <= _TEXTS else JSON

    def examples(self, *, whole: bool, path: Path = (), lists: int | None = None) -> Iterator[PartExamples]:
        """The few texts of each part that holds nothing but texts; `lists` is in how many lists the parts are."""
        if self.types == {AttributeType.STRING}:
            values = self.texts.told(whole=whole, most_items=lists)
            if values:
                yield PartExamples(path, tuple(sorted(values)))
        elif self.types == {AttributeType.MAP} and len(self.fields) <= MOST_FIELDS and not self._holds_data():
            for name, one in sorted(self.fields.items()):
                yield from one.examples(whole=whole, path=(*path, name), lists=lists)
        elif self.types == {AttributeType.LIST} and self.members is not None:
            least = self.seen if lists is None else min(self.seen, lists)
            yield from self.members.examples(whole=whole, path=(*path, None), lists=least)

    def rare(self, path: Path = ()) -> Iterator[RarePart]:
        """The fields that few of their maps have; what is within such a field is as rare."""
        if self.types == {AttributeType.MAP} and len(self.fields) <= MOST_FIELDS and not self._holds_data():
            for name, one in sorted(self.fields.items()):
                if one.seen < _RARE_SHARE * self.maps:
                    yield RarePart((*path, name), one.seen / self.maps)
                else:
                    yield from one.rare((*path, name))
        elif self.types == {AttributeType.LIST} and self.members is not None:
            yield from self.members.rare((*path, None))

    def _holds_data(self) -> bool:
        """Whether the keys of the maps look like data rather than names."""
        if len(self.fields) <= _DICTIONARY_FIELDS or self.maps < _DICTIONARY_MAPS:
            return False
        present = sum(one.seen for one in self.fields.values())
        return present < _DICTIONARY_SHARE * len(self.fields) * self.maps


def struct(fields: Mapping[str, ColumnType]) -> ColumnType:
    """The struct with these fields, by name; JSON where there is no such struct."""
    folded = {fold(name) for name in fields}
    if not 0 < len(fields) <= MOST_FIELDS or len(folded) < len(fields) or "" in folded:
        return JSON
    return ColumnType(TypeKind.STRUCT, fields=tuple(sorted(fields.items())))


def list_of(element: ColumnType) -> ColumnType:
    """The list of such elements; JSON where they are of no one type."""
    return JSON if element == JSON else ColumnType(TypeKind.LIST, element=element)


def both(one: ColumnType, other: ColumnType) -> ColumnType:
    """The type that carries what either carries."""
    if one == other:
        return one
    if one.kind is other.kind is TypeKind.STRUCT:
        fields = dict(one.fields)
        for name, type_ in other.fields:
            fields[name] = both(fields[name], type_) if name in fields else type_
        return struct(fields)
    if one.kind is other.kind is TypeKind.LIST and one.element is not None and other.element is not None:
        return list_of(both(one.element, other.element))
    if one.kind in _LADDER and other.kind in _LADDER:
        return _number(one, other)
    nested = {one.kind, other.kind} & {*_NESTED, TypeKind.JSON, TypeKind.BLOB}
    return JSON if nested else VARCHAR


def _number(one: ColumnType, other: ColumnType) -> ColumnType:
    if TypeKind.DOUBLE in (one.kind, other.kind):
        return ColumnType(TypeKind.DOUBLE)
    scale = max(one.scale or 0, other.scale or 0)
    # A BIGINT among them may use all of its digits.
    whole = _DIGITS_OF_BIGINT if TypeKind.BIGINT in (one.kind, other.kind) else 0
    return ColumnType(TypeKind.DECIMAL, scale=scale) if whole + scale <= _PRECISION else ColumnType(TypeKind.DOUBLE)
