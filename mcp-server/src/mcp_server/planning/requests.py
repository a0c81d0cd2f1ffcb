"""The DynamoDB requests that carry out a chosen access path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcp_server.domain.schema import DOCUMENT_COLUMN, Table
from mcp_server.planning.attribute_values import ScalarValue
from mcp_server.planning.attributes import attributes_of
from mcp_server.planning.counting import render_exactly
from mcp_server.planning.expressions import Placeholders, fits
from mcp_server.planning.plan import Goal, Relation, Request
from mcp_server.planning.predicate import Predicate
from mcp_server.planning.pushdown import render_filter

LARGEST_SMALL_PAGE = 1_000
"""Rows that are asked for at once. Where they are not enough, each page is twice as large as the one before."""

KEYS_A_REQUEST = 100
"""BatchGetItem: "You can retrieve … up to 100 items." """


@dataclass(frozen=True, slots=True)
class Filters:
    """Predicates to filter on, and the columns that cannot be filtered on.

    `rendered` is what they are as the first expression of a request, with its placeholders, where that is known.
    """

    predicates: tuple[Predicate, ...]
    without: frozenset[str] = frozenset()
    rendered: tuple[str, Placeholders] | None = None


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """Conditions on the key attributes of one Query: equalities, then at most one condition on a sort key.

    `condition` is an operator of the API (`=`, `<`, `<=`, `>`, `>=`, `BETWEEN`, `begins_with`), its attribute and its
    one or two values.
    """

    equals: tuple[tuple[str, ScalarValue], ...]
    condition: tuple[str, str, tuple[ScalarValue, ...]] | None = None

    def render(self, placeholders: Placeholders) -> str:
        """The KeyConditionExpression."""
        said = [f"{placeholders.name(name)} = {placeholders.value(value)}" for name, value in self.equals]
        if self.condition is not None:
            operator, name, values = self.condition
            path = placeholders.name(name)
            operands = [placeholders.value(value) for value in values]
            if operator == "BETWEEN":
                said.append(f"{path} BETWEEN {operands[0]} AND {operands[1]}")
            elif operator == "begins_with":
                said.append(f"begins_with({path}, {operands[0]})")
            else:
                said.append(f"{path} {operator} {operands[0]}")
        return " AND ".join(said)


def get_requests(relation: Relation, keys: Sequence[Mapping[str, ScalarValue]], *, consistent: bool) -> list[Request]:
    """BatchGetItem requests for some primary keys."""
    shared = lookup_arguments(relation, consistent=consistent)
    return [
        Request("BatchGetItem", {"Keys": [dict(key) for key in keys[start : start + KEYS_A_REQUEST]], **shared})
        for start in range(0, len(keys), KEYS_A_REQUEST)
    ]


def lookup_arguments(relation: Relation, *, consistent: bool) -> dict[str, Any]:
    """The arguments of BatchGetItem, without the keys."""
    placeholders = Placeholders()
    projection = _projection(_attributes(relation), relation.table, placeholders)
    return projection | placeholders.arguments(projection.values()) | _consistency(consistent)


def toward(goal: Goal | None) -> dict[str, Any]:
    """Arguments of a request of which few rows are wanted: the size of its first page, and the order of a Query."""
    if goal is None or goal.rows > LARGEST_SMALL_PAGE:
        return {"ScanIndexForward": False} if goal is not None and goal.descending else {}
    return {"Limit": goal.rows} | ({"ScanIndexForward": False} if goal.descending else {})


def query_requests(
    relation: Relation,
    conditions: Sequence[KeyCondition],
    filters: Filters,
    index: str | None,
    *,
    consistent: bool,
    goal: Goal | None,
    only_keys: bool = False,
) -> list[Request]:
    """One Query per key condition, and end of it that is wanted; `only_keys` asks for the primary keys alone."""
    return [
        Request(
            "Query",
            _expressions(relation, filters, condition, only_keys=only_keys)
            | ({"IndexName": index} if index is not None else {})
            | toward(end)
            | _consistency(consistent),
        )
        for condition in conditions
        for end in _ends(goal)
    ]


def _ends(goal: Goal | None) -> Sequence[Goal | None]:
    """The ends of a partition from which items are wanted."""
    return (goal, replace(goal, descending=not goal.descending)) if goal is not None and goal.both_ends else (goal,)


def scan_requests(
    relation: Relation, filters: Filters, segments: int, *, consistent: bool, goal: Goal | None
) -> list[Request]:
    """One Scan per segment. With a goal the first pages of all of them are small."""
    shared = _expressions(relation, filters, None) | toward(goal)
    return _in_segments(shared | _consistency(consistent), segments)


def _in_segments(shared: dict[str, Any], segments: int) -> list[Request]:
    if segments == 1:
        return [Request("Scan", shared)]
    return [Request("Scan", {**shared, "Segment": segment, "TotalSegments": segments}) for segment in range(segments)]


def count_queries(
    relation: Relation,
    conditions: Sequence[KeyCondition],
    exact: Sequence[Predicate],
    index: str | None,
    *,
    consistent: bool,
) -> list[Request]:
    """One Query per key condition, for the number of its items."""
    through = {"IndexName": index} if index is not None else {}
    return [
        Request("Query", _counting(relation, exact, condition) | through | _consistency(consistent))
        for condition in conditions
    ]


def count_scans(relation: Relation, exact: Sequence[Predicate], segments: int, *, consistent: bool) -> list[Request]:
    """One Scan per segment, for the number of its items."""
    return _in_segments(_counting(relation, exact, None) | _consistency(consistent), segments)


def _counting(relation: Relation, exact: Sequence[Predicate], condition: KeyCondition | None) -> dict[str, Any]:
    placeholders = Placeholders()
    said = {"KeyConditionExpression": condition.render(placeholders)} if condition is not None else {}
    filtered = render_exactly(exact, relation.table, placeholders)
    arguments = said | ({"FilterExpression": filtered} if filtered else {})
    return {"Select": "COUNT"} | arguments | placeholders.arguments(arguments.values())


def pushable(relation: Relation, filters: Filters) -> tuple[Filters, tuple[int, ...]]:
    """The predicates that fit together into one filter, and the places at which they stand among the given ones."""
    placeholders = Placeholders()
    kept: list[str] = []
    places: list[int] = []
    for place, predicate in enumerate(filters.predicates):
        rendered = render_filter(predicate, relation.table, placeholders, without=filters.without)
        # A condition that DynamoDB would refuse for its length is left to the relational engine.
        if rendered is not None and fits(" AND ".join([*kept, rendered])):
            kept.append(rendered)
            places.append(place)
    if len(places) == len(filters.predicates):
        return Filters(filters.predicates, filters.without, (" AND ".join(kept), placeholders)), tuple(places)
    return Filters(tuple(filters.predicates[place] for place in places), filters.without), tuple(places)


def _expressions(
    relation: Relation, filters: Filters, condition: KeyCondition | None, *, only_keys: bool = False
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    table = relation.table
    if condition is None and filters.rendered is not None:
        said, placeholders = filters.rendered
    else:
        placeholders = Placeholders()
        if condition is not None:
            arguments["KeyConditionExpression"] = condition.render(placeholders)
        parts = [render_filter(one, table, placeholders, without=filters.without) for one in filters.predicates]
        said = " AND ".join([part for part in parts if part is not None])
    if said:
        arguments["FilterExpression"] = said
    names = [key.name for key in table.key] if only_keys else _attributes(relation)
    arguments |= _projection(names, table, placeholders)
    return arguments | placeholders.arguments(arguments.values())


def _attributes(relation: Relation) -> Sequence[str]:
    """What is needed of an item."""
    if relation.starred:
        return [DOCUMENT_COLUMN]
    keys = [key.name for key in relation.table.key] if relation.keyed else []
    return attributes_of(relation.table, [*(column.name for column in relation.columns), *keys])


def _projection(names: Sequence[str], table: Table, placeholders: Placeholders) -> dict[str, Any]:
    """Only what is needed; nothing where that is the whole document, or too much to say."""
    if DOCUMENT_COLUMN in names:
        return {}
    expression = ", ".join(map(placeholders.name, names or [table.hash_key.name]))
    return {"ProjectionExpression": expression} if fits(expression) else {}


def _consistency(consistent: bool) -> dict[str, Any]:
    return {"ConsistentRead": True} if consistent else {}
