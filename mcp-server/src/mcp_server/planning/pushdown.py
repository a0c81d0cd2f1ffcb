"""Renders predicates as DynamoDB filter expressions that are true of every item the predicate is true of.

Two things make a filter weaker than the predicate, never stronger:

- DynamoDB's logic has two values and its comparisons are typed; a predicate that cannot be said is left out of an AND
  and takes a whole OR with it.
- A column's type comes from a sample. An item that was not sampled may hold the attribute in another type, where the
  predicate has no meaning yet: whether it matches is only known once the column's type has been widened. Each condition
  therefore lets through whatever has another type; the reader notices the conflict, widens the type, and the query runs
  again on the right types. Only attributes of the primary key need no such guard, since DynamoDB enforces their types.

What is rendered needs no parentheses to stand in an AND or an OR, for DynamoDB refuses redundant ones: a disjunction
brings its own, and AND binds tighter than OR (Expressions.OperatorsAndFunctions.html, Precedence).
"""

from collections.abc import Container

from mcp_server.domain.schema import AttributeType, Column, Table, TypeKind
from mcp_server.planning.attribute_values import ScalarValue, attribute_value, stored_type, widened
from mcp_server.planning.expressions import MAX_OPERANDS, Placeholders
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Contains,
    IsNotNull,
    IsNull,
    Leaf,
    OneOf,
    Predicate,
    StartsWith,
    Value,
    Within,
)

_ISO_DATE_LENGTH: ScalarValue = {"N": "10"}
_NULL: ScalarValue = {"S": "NULL"}


def render_filter(
    predicate: Predicate, table: Table, placeholders: Placeholders, *, without: Container[str] = ()
) -> str | None:
    """A filter that the predicate implies, or None if there is none worth saying.

    Columns in `without` cannot be filtered on: a query's own keys, attributes that an index does not hold.
    """
    match predicate:
        case AllOf(parts):
            rendered = [render_filter(part, table, placeholders, without=without) for part in parts]
            said = [part for part in rendered if part is not None]
            return " AND ".join(said) if said else None
        case AnyOf(parts):
            rendered = [render_filter(part, table, placeholders, without=without) for part in parts]
            said = [part for part in rendered if part is not None]
            return f"({' OR '.join(said)})" if len(said) == len(parts) else None
        case _:
            column = table.column(predicate.column)
            if column is None or predicate.column in without:
                return None
            if isinstance(predicate, Within):
                return _within(predicate, placeholders)
            is_key = predicate.column in {key.name for key in table.key}
            return _Leaf(column, placeholders.name(column.name), placeholders, is_key=is_key).render(predicate)


def _within(predicate: Within, placeholders: Placeholders) -> str | None:
    """The condition on the part, or that something on the way to it is neither a map nor a list, where one has to be.

    Then what has been seen of the column's shape does not hold, so the reader is to find that.
    """
    path = placeholders.name(predicate.column)
    others: list[str] = []
    for step in predicate.steps:
        form = AttributeType.LIST if isinstance(step, int) else AttributeType.MAP
        others.append(_other_type(path, form, placeholders))
        path = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{placeholders.name(step)}"
    condition = _Leaf(predicate.part, path, placeholders).render(predicate.condition)
    if condition is None or isinstance(predicate.condition, IsNull):
        return condition
    return f"({' OR '.join([condition, *others])})"


def _other_type(path: str, type_: AttributeType, placeholders: Placeholders) -> str:
    """True of what is there, but of another type."""
    return f"attribute_exists({path}) AND NOT attribute_type({path}, {placeholders.value({'S': type_.value})})"


class _Leaf:
    """Conditions on one column, or a part of one, at a document path."""

    def __init__(self, column: Column, path: str, placeholders: Placeholders, *, is_key: bool = False) -> None:
        self._column = column
        self._is_key = is_key
        self._placeholders = placeholders
        self._path = path

    def render(self, predicate: Leaf) -> str | None:
        match predicate:
            case Comparison(_, "<>", value):
                return self._unequal(value)
            case Comparison(_, "=", value):
                return self._guarded(self._between(value, value) if self._is_double else self._compared("=", value))
            case Comparison(_, operator, value):
                return self._guarded(self._compared(operator, value))
            case Between(_, low, high):
                return self._guarded(self._between(low, high))
            case OneOf(_, values):
                return self._guarded(self._one_of(values))
            case StartsWith(_, prefix):
                return self._guarded(self._starting(prefix))
            case Contains(_, part):
                return self._guarded(self._containing(part))
            case IsNull():
                null = self._placeholders.value(_NULL)
                return f"(attribute_not_exists({self._path}) OR attribute_type({self._path}, {null}))"
            case IsNotNull():
                return f"attribute_exists({self._path})"

    @property
    def _is_double(self) -> bool:
        return self._column.type.kind is TypeKind.DOUBLE

    def _compared(self, operator: str, value: Value) -> str | None:
        if self._column.type.kind is TypeKind.BOOLEAN and operator != "=":
            return None  # DynamoDB orders only strings, numbers and binaries; of booleans it would say false
        if self._is_double:
            up = operator.startswith("<")
            bound = widened(value, "up" if up else "down")
            operator = "<=" if up else ">="
        else:
            bound = attribute_value(value, self._column)
        return f"{self._path} {operator} {self._placeholders.value(bound)}" if bound is not None else None

    def _unequal(self, value: Value) -> str | None:
        """True of items without the attribute too, hence the first half; of other types, as it should be."""
        bound = attribute_value(value, self._column)
        if bound is None:
            return None
        return f"attribute_exists({self._path}) AND {self._path} <> {self._placeholders.value(bound)}"

    def _between(self, low: Value, high: Value) -> str | None:
        """Two comparisons, since DynamoDB refuses a BETWEEN whose bounds are the wrong way round."""
        above, below = self._compared(">=", low), self._compared("<=", high)
        return f"{above} AND {below}" if above is not None and below is not None else None

    def _one_of(self, values: tuple[Value, ...]) -> str | None:
        bounds = [attribute_value(value, self._column) for value in values]
        said = list(dict.fromkeys(self._placeholders.value(bound) for bound in bounds if bound is not None))
        if len(said) > MAX_OPERANDS or None in bounds:
            return None
        return f"{self._path} IN ({', '.join(said)})"

    def _starting(self, prefix: str) -> str | None:
        """A range, in the order of UTF-8 that DynamoDB and DuckDB share.

        `begins_with` says the same, but some implementations raise where the attribute is not a string.
        """
        low = self._compared(">=", prefix)
        after = following_prefix(prefix)
        if low is None or after is None:
            return low
        return f"{low} AND {self._compared('<', after)}"

    def _containing(self, part: str) -> str | None:
        if self._column.type.kind is not TypeKind.VARCHAR:
            return None
        return f"contains({self._path}, {self._placeholders.value({'S': part})})"

    def _guarded(self, condition: str | None) -> str | None:
        """Lets items through that hold the attribute in a type in which the condition has no meaning."""
        type_ = stored_type(self._column)
        if condition is None or type_ is None:
            return None
        if self._is_key:
            return condition
        if self._column.type.kind is not TypeKind.DATE:
            return f"({condition} OR {_other_type(self._path, type_, self._placeholders)})"
        # Texts of another length are not canonical dates: they too make the reader widen the type.
        other = f"NOT attribute_type({self._path}, {self._placeholders.value({'S': type_.value})})"
        other = f"({other} OR size({self._path}) <> {self._placeholders.value(_ISO_DATE_LENGTH)})"
        return f"({condition} OR attribute_exists({self._path}) AND {other})"


def following_prefix(prefix: str) -> str | None:
    """The least text above every text that starts with the prefix; None if there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    point = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= point <= 0xDFFF else point)
