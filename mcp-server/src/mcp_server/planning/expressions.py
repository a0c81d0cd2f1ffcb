"""DynamoDB expressions in the making. Every name and value goes through a placeholder, so no text can break out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mcp_server.planning.attribute_values import ScalarValue

MAX_EXPRESSION_BYTES = 4096
"""Constraints.html: "The maximum length of any expression string is 4 KB." """

MAX_OPERATORS = 300
"""Constraints.html: "The maximum number of operators or functions … is 300." """

MAX_OPERANDS = 100
"""Of IN."""

_OPERATOR = re.compile(r"<=|>=|<>|=|<|>|\b(?:AND|OR|NOT|IN|BETWEEN|attribute_exists|attribute_not_exists)\b|\w+\(")

_PLACEHOLDER = re.compile(r"[#:]\w+")


@dataclass(slots=True)
class Placeholders:
    """Names and values used in the expressions of one request."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[str, str | bool | bytes], str] = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute's name."""
        return self.names.setdefault(attribute, f"#n{len(self.names)}")

    def value(self, value: ScalarValue) -> str:
        """The placeholder of a value."""
        ((descriptor, content),) = value.items()
        return self.values.setdefault((descriptor, content), f":v{len(self.values)}")

    def arguments(self, expressions: Iterable[str]) -> dict[str, Any]:
        """`ExpressionAttributeNames` and `ExpressionAttributeValues`, as far as the expressions use them.

        DynamoDB refuses placeholders that are defined and not used.
        """
        used = set(_PLACEHOLDER.findall(" ".join(expressions)))
        names = {placeholder: name for name, placeholder in self.names.items() if placeholder in used}
        values = {
            placeholder: {descriptor: content}
            for (descriptor, content), placeholder in self.values.items()
            if placeholder in used
        }
        return ({"ExpressionAttributeNames": names} if names else {}) | (
            {"ExpressionAttributeValues": values} if values else {}
        )


def fits(expression: str) -> bool:
    """Whether DynamoDB would take an expression of that size."""
    if len(expression) <= MAX_OPERATORS:  # so few characters are neither more operators nor too many bytes
        return True
    return len(expression.encode()) <= MAX_EXPRESSION_BYTES and len(_OPERATOR.findall(expression)) <= MAX_OPERATORS
