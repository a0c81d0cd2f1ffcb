"""DynamoDB's filter expressions, evaluated the way DynamoDB does: typed comparisons, and only true and false.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import base64
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mcp_server.domain.schema import Index
from mcp_server.planning.plan import Read, Request

Item = Mapping[str, Mapping[str, Any]]
Condition = Callable[[Item], bool]
Operand = Callable[[Item], Mapping[str, Any] | None]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),]|#\w+(?:\.#\w+|\[\d+\])*|:\w+|\w+)")
_STEP = re.compile(r"#\w+|\d+")
_ORDERED = ("S", "N", "B")


def compile_filter(expression: str | None, names: Mapping[str, str], values: Mapping[str, Any]) -> Condition:
    """A filter as a function of an item; without an expression everything passes."""
    if expression is None:
        return lambda item: True
    parser = _Parser(expression, names, values)
    condition = parser.disjunction()
    assert parser.peek() is None, f"left over: {parser.tokens}"
    return condition


def received_by(read: Read, stored: Sequence[Item]) -> list[Item]:
    """What a read yields of a table's items: the first pages, where few rows are enough."""
    if read.branches:
        names = [key.name for key in read.relation.table.key]
        found = (item for branch in read.branches for item in received_by(branch, stored))
        return list({repr([item[name] for name in names]): item for item in found}.values())
    table = read.relation.table
    index = next((one for one in table.indexes if one.name == read.index), None)
    keys = index.range_keys if index is not None else [table.range_key] if table.range_key is not None else []
    if read.access == "Query":
        sorted_by = [key.name for key in keys if key is not None]
        held = [item for item in stored if all(name in item for name in sorted_by)]
        stored = sorted(held, key=lambda item: [ordered(item[name]) for name in sorted_by])
        if any(request.arguments.get("ScanIndexForward") is False for request in read.requests):
            stored = stored[::-1]
    return received(read.requests, stored, table.indexes)[: read.enough]


def ordered(value: Mapping[str, Any]) -> Any:
    """A key's value, to sort by."""
    ((descriptor, content),) = value.items()
    return Decimal(content) if descriptor == "N" else _bytes(content) if descriptor == "B" else content.encode()


def _bytes(content: bytes | str) -> bytes:
    """A binary value, which JSON has as base64."""
    return content if isinstance(content, bytes) else base64.b64decode(content)


def received(requests: Sequence[Request], stored: Sequence[Item], indexes: Sequence[Index] = ()) -> list[Item]:
    """What requests return of a table's items, by the filter language's own rules.

    An index has the items whose attributes are of its keys' types, and of them what it projects.
    """
    found: list[Item] = []
    for request in requests:
        arguments = request.arguments
        if request.operation == "BatchGetItem":
            keys = arguments["Keys"]
            found += [
                item for key in keys for item in stored if all(_compare("=", item[name], key[name]) for name in key)
            ]
            continue
        names = arguments.get("ExpressionAttributeNames", {})
        values = arguments.get("ExpressionAttributeValues", {})
        passes = compile_filter(arguments.get("FilterExpression"), names, values)
        matches = compile_filter(arguments.get("KeyConditionExpression"), names, values)
        held = stored
        if "IndexName" in arguments:
            index = next(one for one in indexes if one.name == arguments["IndexName"])
            keys = (*index.hash_keys, *index.range_keys)
            held = [item for item in stored if all(key.type.value in item.get(key.name, {}) for key in keys)]
        found += [item for item in held if matches(item) and passes(item)]
    return found


def part(item: Item, steps: Sequence[str]) -> Mapping[str, Any] | None:
    """What is at a document path: an attribute's name, then names of fields and places in lists."""
    found = item.get(steps[0])
    for step in steps[1:]:
        if found is None:
            return None
        members = found.get("L", ())
        at = int(step) if step.isdecimal() else len(members)
        found = found["M"].get(step) if "M" in found else members[at] if at < len(members) else None
    return found


def projection(request: Request) -> Callable[[Item], Item]:
    """What the request's projection leaves of an item; a map of which nothing is there is left out."""
    arguments = request.arguments
    if "ProjectionExpression" not in arguments:
        return lambda item: item
    names = arguments.get("ExpressionAttributeNames", {})
    paths = [
        [names.get(step, step) for step in path.strip().split(".")]
        for path in arguments["ProjectionExpression"].split(",")
    ]

    def projected(item: Item) -> Item:
        found: dict[str, Any] = {}
        for steps in paths:
            value = part(item, steps)
            if value is not None:
                held = found
                for step in steps[:-1]:
                    held = held.setdefault(step, {"M": {}})["M"]
                held[steps[-1]] = value
        return found

    return projected


class _Parser:
    def __init__(self, expression: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self.tokens = _TOKEN.findall(expression)
        assert "".join(self.tokens) == re.sub(r"\s", "", expression)
        self.parenthesised_spans: set[tuple[int, int]] = set()  # in tokens that were left at start and end
        self.names = names
        self.values = values

    def peek(self) -> str | None:
        return self.tokens[0] if self.tokens else None

    def take(self, expected: str | None = None) -> str:
        token: str = self.tokens.pop(0)
        assert expected is None or token == expected, f"{token} instead of {expected}"
        return token

    def disjunction(self) -> Condition:
        parts = [self.conjunction()]
        while self.peek() == "OR":
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def conjunction(self) -> Condition:
        parts = [self.negation()]
        while self.peek() == "AND":
            self.take()
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def negation(self) -> Condition:
        if self.peek() == "NOT":
            self.take()
            inner = self.negation()
            return lambda item: not inner(item)
        if self.peek() == "(":
            return self.parenthesised()
        return self.predicate()

    def parenthesised(self) -> Condition:
        """DynamoDB refuses parentheses directly within parentheses: "The expression has redundant parentheses"."""
        start = len(self.tokens)
        self.take("(")
        condition = self.disjunction()
        assert (start - 1, len(self.tokens)) not in self.parenthesised_spans, "redundant parentheses"
        self.take(")")
        self.parenthesised_spans.add((start, len(self.tokens)))
        return condition

    def predicate(self) -> Condition:
        token = self.peek()
        functions = ("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains")
        if token in functions:
            return self.function()
        left = self.operand()
        operator = self.take()
        if operator == "IN":
            self.take("(")
            options = [self.operand()]
            while self.peek() == ",":
                self.take()
                options.append(self.operand())
            self.take(")")
            return lambda item: any(_compare("=", left(item), option(item)) for option in options)
        if operator == "BETWEEN":
            low = self.operand()
            self.take("AND")
            high = self.operand()
            return lambda item: _compare(">=", left(item), low(item)) and _compare("<=", left(item), high(item))
        right = self.operand()
        return lambda item: _compare(operator, left(item), right(item))

    def function(self) -> Condition:
        name = self.take()
        self.take("(")
        path = self.operand()
        argument: Operand = lambda item: None  # noqa: E731  # the same name as in the other branch
        if self.peek() == ",":
            self.take()
            argument = self.operand()
        self.take(")")
        if name == "attribute_exists":
            return lambda item: path(item) is not None
        if name == "attribute_not_exists":
            return lambda item: path(item) is None
        if name == "attribute_type":
            return lambda item: (found := path(item)) is not None and (argument(item) or {}).get("S") in found
        if name == "begins_with":
            return lambda item: _begins_with(path(item), argument(item))
        return lambda item: _contains(path(item), argument(item))

    def operand(self) -> Operand:
        token = self.take()
        if token == "size":
            self.take("(")
            path = self.operand()
            self.take(")")
            return lambda item: _size(path(item))
        if token.startswith("#"):
            steps = [self.names.get(step, step) for step in _STEP.findall(token)]
            return lambda item: part(item, steps)
        value = self.values[token]
        return lambda item: value


_number = functools.lru_cache(1 << 14)(Decimal)


def _size(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Of texts in bytes, of collections in elements; of numbers and booleans there is none."""
    if value is None:
        return None
    ((descriptor, content),) = value.items()
    if descriptor in ("S", "B"):
        return {"N": str(len(content.encode() if descriptor == "S" else _bytes(content)))}
    return {"N": str(len(content))} if descriptor in ("L", "M", "SS", "NS", "BS") else None


def _compare(operator: str, left: Mapping[str, Any] | None, right: Mapping[str, Any] | None) -> bool:
    if left is None or right is None:
        return operator == "<>"
    ((left_type, first),) = left.items()
    ((right_type, second),) = right.items()
    if left_type == "N":
        first = _number(first)
    if right_type == "N":
        second = _number(second)
    if operator in ("=", "<>"):
        return (left_type == right_type and first == second) == (operator == "=")
    if left_type != right_type or left_type not in _ORDERED:
        return False
    if left_type == "S":
        first, second = first.encode(), second.encode()
    elif left_type == "B":
        first, second = _bytes(first), _bytes(second)
    return bool({"<": first < second, "<=": first <= second, ">": first > second, ">=": first >= second}[operator])


def _begins_with(value: Mapping[str, Any] | None, prefix: Mapping[str, Any] | None) -> bool:
    return bool(value and prefix and "S" in value and value["S"].startswith(prefix["S"]))


def _contains(value: Mapping[str, Any] | None, part: Mapping[str, Any] | None) -> bool:
    if not value or not part:
        return False
    ((descriptor, content),) = value.items()
    if descriptor == "S":
        return part.get("S", "\0") in content
    if descriptor == "SS":
        return part.get("S") in content
    return descriptor == "L" and part in content
