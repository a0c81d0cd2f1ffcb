"""How columns are described."""

from mcp_server.domain.schema import AttributeType, Column, ColumnType, Examples, PartExamples, RarePart, TypeKind
from mcp_server.surface.tools import structure


def test_rare_fields_are_told_beside_what_parts_hold() -> None:
    examples = Examples(
        parts=(PartExamples(("city",), ("Bonn", "Oslo")), PartExamples(("unit",), ("a", "b"))),
        rare=(RarePart(("odd name",), 0.00004), RarePart(("unit",), 0.0125)),
    )
    address = Column("address", ColumnType(TypeKind.JSON), frozenset({AttributeType.MAP}), examples=examples)
    assert structure.column(address, with_values=True).get("parts") == [
        {"path": "address.city", "values": ["Bonn", "Oslo"]},
        {"path": "address.unit", "values": ["a", "b"], "presence": 0.013},
        {"path": 'address."odd name"', "presence": 0.001},
    ]
    assert "parts" not in structure.column(address, with_values=False)
