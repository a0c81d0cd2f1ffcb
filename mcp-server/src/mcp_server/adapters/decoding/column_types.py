"""From the values seen in an attribute to the type of its column. Deterministic, and only ever widening."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field, replace
from decimal import Decimal
from heapq import nsmallest
from itertools import islice

from mcp_server.adapters.decoding.attribute_values import PRECISION, AttributeValue, Digits, number, tagged
from mcp_server.adapters.decoding.examples import FewValues, Seen
from mcp_server.adapters.decoding.nested_types import VARCHAR, Shape, both
from mcp_server.domain.dates import iso_date
from mcp_server.domain.distribution import MOST_CHARACTERS, Distribution, distribution
from mcp_server.domain.names import quoted
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Examples, PartExamples, TypeKind

NESTED = frozenset({AttributeType.MAP, AttributeType.LIST})
MOST_PARTS = 24
"""Parts of one table's columns whose values are told."""
MOST_RARE_PARTS = 8
"""Parts of one column that are told to be rare."""
_SCALES = (2, 4, 6, 9, 12, 18)
_SIMPLE = {
    AttributeType.STRING: VARCHAR,
    AttributeType.BOOLEAN: ColumnType(TypeKind.BOOLEAN),
    AttributeType.BINARY: ColumnType(TypeKind.BLOB),
    AttributeType.STRING_SET: ColumnType(TypeKind.LIST, element=VARCHAR),
    AttributeType.BINARY_SET: ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.BLOB)),
}
_WIDTH = {TypeKind.BIGINT: 0, TypeKind.DECIMAL: 1, TypeKind.DOUBLE: 2, TypeKind.DATE: 0, TypeKind.VARCHAR: 1}
_DOUBLE_NOTE = "some numbers have more digits than DECIMAL(38) carries; values are rounded to DOUBLE"


@dataclass(slots=True)
class Sample:
    """What some items hold in one attribute."""

    descriptors: Counter[AttributeType] = field(default_factory=Counter)
    digits: Digits = field(default_factory=Digits)
    shape: Shape = field(default_factory=Shape)
    seen: Seen = field(default_factory=Seen)
    members: FewValues = field(default_factory=FewValues)
    numbers: list[Decimal] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    dates: bool = True

    def add(self, value: AttributeValue) -> None:
        """Counts one value. Raises MalformedValue."""
        kind, content = tagged(value)
        descriptor = AttributeType(kind)
        self.descriptors[descriptor] += 1
        if descriptor is AttributeType.NUMBER:
            self.digits.add(content)
            found = number(content)
            self.seen.add_number(content, found)
            self.numbers.append(found)
        elif descriptor is AttributeType.NUMBER_SET:
            for member in content:
                self.digits.add(member)
        elif descriptor is AttributeType.STRING_SET:
            for member in content:
                self.members.add(member)
        elif descriptor in NESTED:
            self.shape.add(value)
        elif descriptor is AttributeType.STRING:
            self.seen.add_text(content)
            self.texts.append(content[:MOST_CHARACTERS])
            self.dates = self.dates and iso_date(content) is not None

    @property
    def present(self) -> int:
        """How many items have the attribute."""
        return self.descriptors.total()

    @property
    def types(self) -> frozenset[AttributeType]:
        """The descriptors seen but NULL."""
        return frozenset(self.descriptors) - {AttributeType.NULL}

    def examples(self, *, whole: bool) -> Examples | None:
        """What there is to tell of the values; `whole` tells that no item was left out."""
        if self.types == {AttributeType.STRING_SET}:
            values = self.members.told(whole=whole, most_items=self.present)
            return Examples(parts=(PartExamples((None,), tuple(sorted(values))),)) if values else None
        if not self.types or not self.types <= NESTED:
            return self.seen.examples(self.types, whole=whole)
        parts = tuple(islice(self.shape.examples(whole=whole), MOST_PARTS))
        rare = tuple(nsmallest(MOST_RARE_PARTS, self.shape.rare(), key=lambda part: part.presence))
        return Examples(parts=parts, rare=rare) if parts or rare else None

    def spread(self, presence: float, items: int, most: int) -> Distribution[str] | Distribution[Decimal] | None:
        """How the values of so many items are spread, of which that share has one; None of values of several types."""
        if self.types == {AttributeType.NUMBER}:
            return distribution(self.numbers, presence, items, most)
        return distribution(self.texts, presence, items, most) if self.types == {AttributeType.STRING} else None


def column(name: str, sample: Sample, items: int, *, may_be_date: bool = True, whole: bool = False) -> Column:
    """The column of an attribute, from a sample of `items` items, which may be the `whole` table."""
    types = sample.types
    presence = sample.present / items if items else 1.0
    found = VARCHAR
    notes: tuple[str, ...] = ()
    if len(types) == 1:
        found = _single(next(iter(types)), sample)
        if found == VARCHAR and sample.dates and may_be_date and AttributeType.STRING in types:
            found = ColumnType(TypeKind.DATE)
    elif types:
        notes = _mixed_notes(name, sample)
    if TypeKind.DOUBLE in (found.kind, found.element.kind if found.element else None):
        notes = (*notes, _DOUBLE_NOTE)
    examples = sample.examples(whole=whole)
    return Column(name, found, types, nullable=True, presence=round(presence, 4), notes=notes, examples=examples)


def widened(known: Column, sample: Sample) -> Column:
    """A column that carries both what it carried and the sample."""
    types = known.attribute_types | sample.types
    if len(types) != 1:
        others = ", ".join(kind.value for kind in sorted(sample.types - known.attribute_types))
        read = _read_as_text(known.name, types) if len(known.attribute_types) == 1 else ""
        kept = tuple(note for note in known.notes if note != _DOUBLE_NOTE)
        more = [f"also holds {others}{read}"] if others else []
        return replace(known, type=VARCHAR, attribute_types=types, notes=tuple(dict.fromkeys([*kept, *more])))
    descriptor = next(iter(types))
    if not known.attribute_types:  # nothing but NULL was seen before
        return replace(known, type=column(known.name, sample, 0).type, attribute_types=types)
    found = _single(descriptor, sample)
    if descriptor in NESTED:
        found = both(known.type, found)
    elif descriptor is AttributeType.NUMBER:
        found = _wider(known.type, sample.digits)
    elif descriptor is AttributeType.NUMBER_SET and known.type.element is not None:
        found = ColumnType(TypeKind.LIST, element=_wider(known.type.element, sample.digits))
    notes = known.notes
    if TypeKind.DOUBLE in (found.kind, found.element.kind if found.element else None):
        notes = tuple(dict.fromkeys((*notes, _DOUBLE_NOTE)))
    return replace(known, type=found, attribute_types=types, notes=notes)


def wider_of(column: Column, learnt: Column | None) -> Column:
    """The column of a fresh sample, or with the type that an earlier read proved necessary, whichever carries more."""
    if learnt is None or not column.attribute_types <= learnt.attribute_types:
        return column
    same = column.attribute_types == learnt.attribute_types
    if same and column.attribute_types <= NESTED:
        return replace(column, type=both(column.type, learnt.type))
    if same and _WIDTH.get(column.type.kind, 0) > _WIDTH.get(learnt.type.kind, 0):
        return column
    if same and column.type.kind is learnt.type.kind and (column.type.scale or 0) > (learnt.type.scale or 0):
        return column
    return replace(column, type=learnt.type, attribute_types=learnt.attribute_types, notes=learnt.notes)


def _single(descriptor: AttributeType, sample: Sample) -> ColumnType:
    if descriptor is AttributeType.NUMBER:
        return sample.digits.type()
    if descriptor is AttributeType.NUMBER_SET:
        return ColumnType(TypeKind.LIST, element=sample.digits.type())
    if descriptor in NESTED:
        return sample.shape.type()
    return _SIMPLE[descriptor]


def _wider(known: ColumnType, digits: Digits) -> ColumnType:
    """A number type with room for both, and some to spare: the next page may hold one more decimal place."""
    if known.kind is TypeKind.DOUBLE:
        return known
    known_scale, known_integer = (known.scale or 0, 1) if known.kind is TypeKind.DECIMAL else (0, 19)
    integer = max(known_integer, digits.integer)
    needed = max(known_scale, digits.scale)
    for scale in sorted(
        {needed, *(step for step in _SCALES if step > needed)}, key=lambda step: (step not in _SCALES, step)
    ):
        if integer + scale <= PRECISION:
            return ColumnType(TypeKind.DECIMAL, scale=scale)
    return ColumnType(TypeKind.DOUBLE)


def _mixed_notes(name: str, sample: Sample) -> tuple[str, ...]:
    counts = Counter({kind: count for kind, count in sample.descriptors.items() if kind is not AttributeType.NULL})
    total = sum(counts.values())
    (first, _), *others = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    rest = ", ".join(f"{kind.value} in {_percent(count / total)}" for kind, count in others)
    read = _read_as_text(name, sample.types)
    return (f"mostly {first.value}, also holds {rest} of sampled values{read}",)


def _read_as_text(name: str, types: Container[AttributeType]) -> str:
    """What follows for who uses a column of several types."""
    if AttributeType.NUMBER not in types:
        return "; read as text"
    return (
        "; read as text; compared with a number, those that are no numbers do not match; ORDER BY, max() and min() "
        f"order texts, and sum() fails: TRY_CAST({quoted(name)} AS DOUBLE) has the numbers"
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
